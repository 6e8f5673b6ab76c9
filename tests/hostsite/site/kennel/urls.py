from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path, re_path
from django.views.generic import TemplateView
from django.views.static import serve

urlpatterns = [
    path("", TemplateView.as_view(template_name="base.html"), name="front-door"),
    path("enter/", LoginView.as_view(template_name="enter.html"), name="login"),
    path("leave/", LogoutView.as_view(), name="logout"),
    path("back-office/", admin.site.urls),
    re_path(r"^files/(?P<path>.*)$", serve, {"document_root": settings.STATIC_ROOT}),
    *(path("service/v1/", include(f"{app}.api.urls")) for app in settings.CROWD_APPS),
]
if "assignments" in settings.CROWD_APPS:
    urlpatterns.append(path("desk/", include("assignments.urls")))
if "pavilion" in settings.CROWD_APPS:
    urlpatterns.append(path("pool/", include("pavilion.urls")))
if "routing" in settings.CROWD_APPS:
    from pets.crowd import KennelRouter

    urlpatterns.append(path("crowd/", include(KennelRouter.urls())))
