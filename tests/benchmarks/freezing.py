"""Applications of ours are served as ``app_from_environment`` serves them."""

import gc

from fastapi import FastAPI


def frozen(app: FastAPI) -> FastAPI:
    """Leave the objects that were loaded so far out of garbage collection."""
    gc.collect()
    gc.freeze()
    return app
