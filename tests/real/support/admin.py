#!/usr/bin/env python3
"""An admin user without a screen: fills in the Grant Access page's form as a browser would post it.

The address is the last argument. Before it may stand:
  --refuse             press Refuse instead of Grant Access
  --user NAME          sign in as NAME
  --wait FILE          wait until FILE exists before the form is posted
  --say FILE           write the last page's status and text to FILE
  --back FILE          don't follow the redirect back: write its address to FILE, as it stands in a browser's bar
"""
import html, os, re, sys, time
import urllib.error, urllib.parse, urllib.request

arguments, address = sys.argv[1:-1], sys.argv[-1]
pairs = [word for word in arguments if word != "--refuse"]
options = dict(zip(pairs[::2], pairs[1::2])) | ({"--refuse": "yes"} if "--refuse" in arguments else {})


class Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


handlers = [urllib.request.ProxyHandler({})] + ([Stays] if "--back" in options else [])
browser = urllib.request.build_opener(*handlers)


def fetch(url, data=None):
    try:
        answer = browser.open(url, data, timeout=120)
    except urllib.error.HTTPError as refused:
        answer = refused
    if "--back" in options and answer.headers.get("Location"):
        with open(options["--back"], "w") as out:
            out.write(answer.headers["Location"])
    return answer.status, answer.read().decode("utf-8", "replace")


if urllib.parse.urlsplit(address).path.startswith("/launch/"):
    # The one-time address that a browser is started by leads to the page.
    leads = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stays)
    try:
        leads.open(address, timeout=120)
        sys.exit("the one-time address leads nowhere")
    except urllib.error.HTTPError as redirect:
        address = redirect.headers["Location"]
_, page = fetch(address)
asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
token = next(html.unescape(re.search(r'value="([^"]*)"', tag)[1])
             for tag in re.findall(r"<input[^>]*>", page) if 'name="request"' in tag)
while "--wait" in options and not os.path.exists(options["--wait"]):
    time.sleep(0.01)
form = {
    "request": token,
    "ubi": asked["ubi"],
    "username": options.get("--user", asked.get("username", "ann@example.com")),
    "password": "sandbox",
    "decision": "refuse" if "--refuse" in options else "grant",
}
status, text = fetch(urllib.parse.urljoin(address, "/oauth/grant"), urllib.parse.urlencode(form).encode())
if "--say" in options:
    with open(options["--say"] + ".new", "w") as out:
        out.write(f"{status}\n{text}")
    os.rename(options["--say"] + ".new", options["--say"])
