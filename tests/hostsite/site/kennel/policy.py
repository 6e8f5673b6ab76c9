def content_policy(get_response):
    """What the documentation says that the pages run under."""

    def respond(request):
        response = get_response(request)
        response.setdefault("Content-Security-Policy", "default-src 'self'; img-src 'self' data: https:")
        return response

    return respond
