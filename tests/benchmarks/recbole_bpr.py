"""Run by RecBole's own Python: seconds an epoch of its BPR takes on pairs saved as user,item in a .npz file."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

source, folder, batch_size, epochs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(2)
pairs = np.load(source)
(folder / "shop").mkdir(exist_ok=True)
frame = pd.DataFrame({"user_id:token": pairs["users"], "item_id:token": pairs["items"]})
frame.to_csv(folder / "shop" / "shop.inter", sep="\t", index=False)

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402
from recbole.utils import get_model, init_seed  # noqa: E402

settings = {
    "data_path": str(folder),
    "load_col": {"inter": ["user_id", "item_id"]},
    "embedding_size": 64,
    "train_batch_size": batch_size,
    "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False},
    "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "RO", "group_by": None, "mode": "full"},
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
    "checkpoint_dir": str(folder),
}
sys.argv = sys.argv[:1]
config = Config(model="BPR", dataset="shop", config_dict=settings)
init_seed(0, True)
dataset = create_dataset(config)
train, *_ = data_preparation(config, dataset)
model = get_model("BPR")(config, train.dataset)
trainer = Trainer(config, model)
trainer._train_epoch(train, 0)  # the first one warms up
start = time.perf_counter()
for epoch in range(1, epochs + 1):
    trainer._train_epoch(train, epoch)
print(json.dumps({"pairs": len(dataset), "seconds": (time.perf_counter() - start) / epochs}))
