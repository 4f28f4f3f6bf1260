"""Every column name, once.

*customer* and *product* are the shop's own words and name text ids at the edges (files, `Recommender`, page).
*user* and *item* are row numbers inside. `features.history` translates the one into the other, once.
"""

CUSTOMER = "customer_id"
PRODUCT = "product_id"
TIME = "purchase_date"
EVENT = "event"
QUANTITY = "quantity"
PRICE = "price"
PAGE_VIEWS = "page_views"
TIME_SPENT = "time_spent"
CATEGORY = "category"
RATING = "rating"
RATING_COUNT = "rating_count"
TITLE = "title"
IN_STOCK = "in_stock"
KNOWN_FROM = "known_from"
CUSTOMER_RATING = "customer_rating"  # what the buyer thought of it; RATING is a product's attribute
PART = "split"  # of a published split
ORDER = "order"  # of a customer's events, where no dates are known

# Kinds of event. Only purchases are targets; views and carts describe behaviour. Returns are netted in `tables`.
PURCHASE = "purchase"
VIEW = "view"
CART = "cart"
EVENT_KINDS = (PURCHASE, VIEW, CART)
RETURN = "return"

# Parts of a published split.
TRAIN = "train"
VALID = "valid"
TEST = "test"
PARTS = (TRAIN, VALID, TEST)

# The three tables of the brief, which are also their file names.
INTERACTIONS = "customer_interactions"
PURCHASES = "purchase_history"
DETAILS = "product_details"
TABLE_NAMES = (INTERACTIONS, PURCHASES, DETAILS)

# A recommendation, in the order a reader wants it.
RANK = "rank"
SCORE = "score"
REASON = "reason"
RECOMMENDATION = (RANK, PRODUCT, CATEGORY, PRICE, RATING, SCORE, REASON)
