"""What is answered when a request goes wrong outside a view."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, override_settings
from django.urls import include, path


def broken(request):
    raise RuntimeError("a secret of ours")


def forbidden(request):
    raise PermissionDenied


urlpatterns = [
    path("broken", broken),
    path("forbidden", forbidden),
    path("api/v1/broken/", broken),
    path("api/v1/forbidden/", forbidden),
    path("", include("crowdsite.urls")),
]

handler400 = "crowdsite.errors.bad_request"
handler403 = "crowdsite.errors.permission_denied"
handler404 = "crowdsite.errors.not_found"
handler500 = "crowdsite.errors.server_error"


@pytest.fixture(autouse=True)
def _addresses():
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def visitor():
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("address", "status", "slug"),
    [
        ("/api/v1/no-such-thing/", 404, "not-found"),
        ("/api/v1/forbidden/", 403, "permission-denied"),
        ("/api/v1/broken/", 500, "internal-error"),
    ],
)
def test_a_program_reads_a_problem_document(visitor, address, status, slug):
    answer = visitor.get(address)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:crowdsite:problem:{slug}"
    assert answer.json()["status"] == status
    assert "secret" not in answer.text


def test_a_fault_of_ours_says_under_which_id_it_was_logged(visitor):
    answer = visitor.get("/api/v1/broken/", headers={"X-Request-Id": "r-9"})
    assert answer.json()["instance"] == "urn:crowdsite:request:r-9"


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/no-such-page", 404, "There is no such page"),
        ("/forbidden", 403, "This is not open to you"),
        ("/broken", 500, "Something went wrong here"),
    ],
)
def test_a_person_reads_a_page(visitor, address, status, said):
    answer = visitor.get(address)
    assert answer.status_code == status
    assert said in answer.text
    assert "queues/site.css" in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("address", "kind"), [("/api/v1/x/", "application/problem+json"), ("/", "text/html; charset=utf-8")]
)
def test_an_unknown_host_is_refused_in_the_form_of_its_address(visitor, settings, address, kind):
    settings.ALLOWED_HOSTS = ["crowdsite.example"]
    answer = visitor.get(address, headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == kind


def test_a_form_without_its_token_is_refused_with_a_page():
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "mia"})
    assert answer.status_code == 403
    assert "That form is too old" in answer.text
