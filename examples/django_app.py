"""A Django project in one file: the tasks of whoever is signed in.

    pip install 'taskcore[embedded]' django
    python examples/django_app.py runserver --noreload

The tasks are in taskcore's database, beside Django's own. The signed cookie says who is
signed in; a real project uses ``django.contrib.auth`` and ``request.user.id``.
"""

import os
import secrets
import sys

import django
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from taskcore import TaskNotFound, ValidationError
from taskcore.sync import TaskStore, UserTasks

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
    SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32),
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()

store = TaskStore()
"""Opened by `main`, or by whoever serves `application`."""


def mine(request: HttpRequest) -> UserTasks:
    user_id = request.get_signed_cookie("user_id", None)
    if user_id is None:
        raise PermissionDenied
    return store.for_user(int(user_id))


def sign_in(_request: HttpRequest, user_id: int) -> HttpResponse:
    response = HttpResponse(status=204)
    response.set_signed_cookie("user_id", str(user_id), httponly=True, samesite="Lax")
    return response


@csrf_exempt  # for brevity; a real project keeps the protection
def tasks(request: HttpRequest) -> HttpResponse:
    try:
        if request.method == "POST":
            task = mine(request).create(request.POST.get("title", ""))
            return JsonResponse(task.model_dump(mode="json"), status=201)
        return JsonResponse(
            [task.model_dump(mode="json") for task in mine(request).iterate()], safe=False
        )
    except ValidationError as exc:
        return HttpResponse(str(exc), status=400)


def one(request: HttpRequest, task_id: int) -> HttpResponse:
    try:
        return JsonResponse(mine(request).get(task_id).model_dump(mode="json"))
    except TaskNotFound as exc:
        return HttpResponse(str(exc), status=404)


urlpatterns = [
    path("sign-in/<int:user_id>", sign_in),
    path("tasks", tasks),
    path("tasks/<int:task_id>", one),
]
application = get_wsgi_application()


def main() -> None:
    with store:
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
