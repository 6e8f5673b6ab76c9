"""The site's addresses. The apps bring their own under /api/v1/."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from crowdsite import errors, health, monitoring, views
from crowdsite.crowd import DemoRouter
from crowdsite.description import DescriptionView
from crowdsite.signing_in import limited

urlpatterns = [
    # Addresses are tried one after another: those that are called most come first.
    path("api/v1/", include("assignments.api.urls")),
    path("api/v1/", include("queues.api.urls")),
    path("api/v1/", include("pavilion.api.urls")),
    path("api/v1/", include("routing.api.urls")),
    path("", views.home, name="home"),
    path("login/", limited(views.SignIn.as_view()), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("desk/", include("assignments.urls")),
    path("pool/", include("pavilion.urls")),
    # Before the admin's own, which is the same.
    path("admin/login/", limited(admin.site.login)),
    path("admin/", admin.site.urls),
    path("api/schema/", DescriptionView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("courierz", health.courierz, name="courierz"),
    path("metrics", monitoring.metrics, name="metrics"),
]

if settings.LOAD_DEMO:
    urlpatterns.append(path("crowd/", include(DemoRouter.urls())))

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error
