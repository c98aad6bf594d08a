#!/usr/bin/env python3
"""An OAuth server that isn't ours: django-oauth-toolkit, mounted at /o/ as its manual does, so that its issuer has a path
and its metadata isn't at the host's root (RFC 8414 3.1 wants it there: a 404 page answers). Code with S256, rotating
refresh tokens without grace, a replay ends the family, revocation (RFC 7009), introspection of access tokens (RFC 7662);
no `iss` (RFC 9207).

It takes a free port, and prints a line of JSON once it listens, then one for each request that it answers. Everything is
in memory, and it ends with whoever started it. Debug pages are on: what goes wrong is to be seen by the test.
"""
import hashlib, json, os, socketserver, sys, tempfile, threading, wsgiref.simple_server

import django
from django.conf import settings

folder = tempfile.TemporaryDirectory()
settings.configure(
    DEBUG=True, SECRET_KEY="of a test", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder.name, "db"),
                           "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"}}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[f"{__name__}.telling", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"loaders": [
        ("django.template.loaders.locmem.Loader", {"registration/login.html":
            '<form action="" method="post">{% csrf_token %}{{ form }}</form>'}),
        "django.template.loaders.app_directories.Loader"]}} | {"APP_DIRS": False}],
    MIGRATION_MODULES=dict.fromkeys(["auth", "contenttypes", "sessions", "oauth2_provider"]),
    LOGIN_URL="/login/", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", LOGGING_CONFIG=None,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": 3600, "REFRESH_TOKEN_EXPIRE_SECONDS": 100 * 24 * 3600,
        "ROTATE_REFRESH_TOKEN": True, "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0, "REFRESH_TOKEN_REUSE_PROTECTION": True,
    })

out = threading.Lock()


def tell(event, **what):
    with out:
        print(json.dumps({"event": event, **what}), flush=True)


def telling(get_response):
    """Prints each request before its answer leaves: where, how, and hashes of what secrets it had."""
    def tells(request):
        answer = get_response(request)
        what = {"method": request.method, "path": request.path, "status": answer.status_code}
        if request.path == "/o/token/":
            hashes = {name: hashlib.sha256(request.POST[name].encode()).hexdigest()
                      for name in ("code", "refresh_token") if name in request.POST}
            what |= {"by": request.POST.get("grant_type"), **hashes}
        tell("answered", **what)
        return answer
    return tells


django.setup()
from django.contrib.auth import views
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.models import AccessToken, Application, RefreshToken


@csrf_exempt
def lives(request):
    """Whether a token of either kind lives, by the database."""
    checksum = hashlib.sha256(request.POST["token"].encode()).hexdigest()
    access = AccessToken.objects.filter(token_checksum=checksum).first()
    refresh = RefreshToken.objects.filter(token_checksum=checksum, revoked__isnull=True)
    return JsonResponse({"active": access is not None and access.is_valid() or refresh.exists()})


urlpatterns = [
    path("", lambda request: HttpResponse("a test's server\n")),
    path("lives/", lives),
    path("login/", views.LoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


call_command("migrate", run_syncdb=True, verbosity=0)
User.objects.create_user("ann@example.com", password="any")
Application.objects.create(
    name="biotrack-auth", client_id="biotrack-auth", client_secret="a-secret", client_type="confidential",
    authorization_grant_type="authorization-code", redirect_uris="http://127.0.0.1/callback")
server = wsgiref.simple_server.make_server("127.0.0.1", 0, get_wsgi_application(), Server, Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell("listening", issuer=f"http://127.0.0.1:{server.server_port}/o")
sys.stdin.read()
