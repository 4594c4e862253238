"""A person at a browser, as far as a sign-in at a Folkmoot needs one: `sign_in`, and a program for those who open one.

An ephemeral server signs in whom the address names; a durable one asks for a user name and a password, which are in
FOLKMOOT_USER and FOLKMOOT_PASSWORD. Its CA is in the file that REQUESTS_CA_BUNDLE names.

Invariant: it sends nothing but the form that a page shows, filled in.
"""

import os
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.forms = []
        self.feed(page)
        self.action, self.fields = self.forms[0]

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append((attributes["action"], {}))
        if tag == "input" and self.forms:
            self.forms[-1][1][attributes["name"]] = attributes.get("value", "")


def sign_in(address):
    """Signs in at an address of the server; the application's own address, and what is told to it by a form, if any is."""
    browser = requests.Session()
    server = urlsplit(address).netloc
    answer = browser.get(address, allow_redirects=False)
    while True:
        if answer.status_code == 200:
            form = Form(answer.text)
            to, fields = urljoin(answer.url, form.action), form.fields
            if "password" in fields:
                fields["name"] = os.environ["FOLKMOOT_USER"]
                fields["password"] = os.environ["FOLKMOOT_PASSWORD"]
        else:
            to, fields = urljoin(answer.url, answer.headers["Location"]), None
        if urlsplit(to).netloc != server:
            return to, fields
        method = "GET" if fields is None else "POST"
        answer = browser.request(method, to, data=fields, allow_redirects=False)


if __name__ == "__main__":
    where, told = sign_in(sys.argv[1])
    requests.post(where, data=told).raise_for_status()
