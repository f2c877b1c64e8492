"""`sqlite3`, `lsof` and `curl` as far as the README uses them, for machines that lack the real ones.

python standins.py sqlite3 FILE QUERY | lsof -i :PORT | curl URL -H HEADER -d BODY
"""

from __future__ import annotations

import sqlite3
import sys
import urllib.request

import psutil


def show_rows(file: str, query: str) -> None:
    for row in sqlite3.connect(file).execute(query):
        print("|".join("" if value is None else str(value) for value in row))


def show_holders(_option: str, address: str) -> None:
    port = int(address.removeprefix(":"))
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port:
            print(connection.pid, f"TCP :{port} ({connection.status})")


def fetch(url: str, _header_option: str, header: str, _data_option: str, body: str) -> None:
    name, value = header.split(": ")
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), {name: value})) as answer:
        print(answer.read().decode())


TOOLS = {"sqlite3": show_rows, "lsof": show_holders, "curl": fetch}

if __name__ == "__main__":
    TOOLS[sys.argv[1]](*sys.argv[2:])
