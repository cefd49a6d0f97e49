"""The example that gets deployed: two greetings."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "Hello, World!"


@app.get("/greet")
def greet() -> str:
    return "Greetings from Flask!"
