"""A Flask application: the tasks of whoever is signed in.

    pip install 'taskcore[embedded]' flask
    flask --app examples/flask_app run

The session cookie says who is signed in; a real application asks for a password.
"""

import secrets

from flask import Flask, abort, jsonify, request, session

from taskcore import TaskNotFound, ValidationError
from taskcore.sync import TaskStore, UserTasks


def create_app(store: TaskStore | None = None) -> Flask:
    """Make the application; open the store in each worker process, not before a fork."""
    tasks = store or TaskStore().open()
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)

    def mine() -> UserTasks:
        if "user_id" not in session:
            abort(401)
        return tasks.for_user(session["user_id"])

    @app.post("/sign-in/<int:user_id>")
    def sign_in(user_id: int):
        session["user_id"] = user_id
        return "", 204

    @app.get("/tasks")
    def list_tasks():
        return jsonify([task.model_dump(mode="json") for task in mine().iterate()])

    @app.post("/tasks")
    def create_task():
        return jsonify(mine().create(request.form["title"]).model_dump(mode="json")), 201

    @app.post("/tasks/<int:task_id>/done")
    def complete_task(task_id: int):
        return jsonify(mine().update(task_id, completed=True).model_dump(mode="json"))

    @app.errorhandler(TaskNotFound)
    def not_found(exc: TaskNotFound):
        return str(exc), 404

    @app.errorhandler(ValidationError)
    def invalid(exc: ValidationError):
        return str(exc), 400

    return app
