"""A Flask service: says which instance answered, and echoes."""

import os

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/")
def index():
    return jsonify(instance=os.environ["INSTANCE"], pid=os.getpid(), remote=request.remote_addr)


@app.get("/health/")
def health():
    return "ok"


@app.post("/echo")
def echo():
    return request.get_data()


@app.get("/stream")
def stream():
    return (f"part {number}\n" for number in range(1000))
