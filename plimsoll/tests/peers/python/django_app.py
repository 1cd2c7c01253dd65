"""A Django project in one file: settings, urls and views."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    USE_X_FORWARDED_HOST=True,
)


def index(request):
    return JsonResponse(
        {"instance": os.environ["INSTANCE"], "url": request.build_absolute_uri("/"), "posted": request.POST}
    )


def health(request):
    return HttpResponse("ok")


urlpatterns = [path("", index), path("health/", health)]
application = get_wsgi_application()
