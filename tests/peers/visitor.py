#!/usr/bin/env python3
"""A person without a screen at another server's own pages: logs in, consents, and is sent back.

The address is the last argument. It fills in the form of each page as a browser would post it, until a page has none.
Before the address may stand:
  --back FILE          don't follow the redirect back: write its address to FILE, as it stands in a browser's bar
"""
import http.cookiejar, sys, urllib.error, urllib.parse, urllib.request
from html.parser import HTMLParser

options, address = dict(zip(sys.argv[1:-1:2], sys.argv[2:-1:2])), sys.argv[-1]
known = {"login": "ann@example.com", "username": "ann@example.com", "password": "any"}


class Form(HTMLParser):
    """The first form of a page that is posted: where to, and its fields as they stand."""
    target, fields, inside = None, {}, False

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "form" and self.target is None and found.get("method") == "post":
            self.target, self.fields, self.inside = found.get("action", ""), {}, True
        elif self.inside and tag in ("input", "button") and found.get("name"):
            self.fields[found["name"]] = known.get(found["name"], found.get("value") or "")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "form"


class Back(urllib.request.HTTPRedirectHandler):
    """Notes the redirect back to the program, and doesn't follow it where it's wanted in a file."""
    came = None

    def redirect_request(self, request, answer, code, reason, headers, address):
        if urllib.parse.urlsplit(address).path.startswith("/callback"):
            self.came = address
            if "--back" in options:
                return None
        return super().redirect_request(request, answer, code, reason, headers, address)


back = Back()
browser = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), back)


def fetch(url, data=None):
    try:
        return browser.open(url, data, timeout=60)
    except urllib.error.HTTPError as refused:
        return refused


answer = fetch(address)
for _ in range(5):
    form = Form()
    form.feed(answer.read().decode())
    if form.target is None or back.came:
        break
    target = urllib.parse.urljoin(answer.url, form.target)
    answer = fetch(target, urllib.parse.urlencode(form.fields).encode())
if "--back" in options and back.came:
    with open(options["--back"], "w") as out:
        out.write(back.came)
