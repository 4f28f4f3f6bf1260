"""Run by irspack's own Python: fits its iALS to the pairs of a .npz file; vectors and seconds go to another."""

import json
import sys
import time

import numpy as np
from irspack import IALSRecommender
from scipy.sparse import csr_matrix

source, target, dim, settings = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
pairs = np.load(source)
bought = csr_matrix((np.ones(len(pairs["users"]), np.float32), (pairs["users"], pairs["items"])))
start = time.perf_counter()
model = IALSRecommender(bought, n_components=dim, random_seed=0, n_threads=2, **settings).learn()
seconds = time.perf_counter() - start
np.savez(target, customers=model.get_user_embedding(), products=model.get_item_embedding(), seconds=seconds)
