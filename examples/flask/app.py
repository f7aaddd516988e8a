"""A page that says which Python serves it."""

import platform
import sys

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return f"Hello from Python {platform.python_version()} in {sys.prefix}\n"
