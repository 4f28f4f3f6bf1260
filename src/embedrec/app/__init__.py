"""One ASGI app over one Recommender: the page for people, plain HTTP for programs.

`embedrec.app.application.create_app` builds it. Nothing is imported here, so that `--help` is quick.
"""
