"""nginx's configurations: a static server of ready bytes, and a caching proxy. One worker each, as inbond has one."""

from __future__ import annotations

from pathlib import Path

from harness.catalog import HTML, JSON

_COMMON = """
worker_processes 1;
daemon off;
user root;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 100000000;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  default_type application/octet-stream;
  {http}
}}
"""
# One directory for each format and coding, so that every answer has the header fields that belong to it.
_STATIC = """
  tcp_nopush on;  # not where it proxies: there it costs a new file 40 ms
  open_file_cache max=1000 inactive=10m;  # half as much again; what inbond serves is at hand as well
  open_file_cache_valid 10m;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {home}/www;
    location /json/ {{ default_type {json}; types {{ }} }}
    location /json-gzip/ {{ default_type {json}; types {{ }} add_header Content-Encoding gzip; }}
    location /html/ {{ default_type {html}; types {{ }} }}
  }}
"""
_PROXY = """
  proxy_cache_path {home}/cache levels=1:2 keys_zone=bench:64m max_size=20g inactive=1d use_temp_path=off;
  upstream index {{ server {upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://index;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_cache_lock_age 600s;
      proxy_cache_lock_timeout 600s;
      proxy_cache_revalidate on;
      proxy_cache_valid 404 10m;
      proxy_max_temp_file_size 2048m;
      proxy_buffers 32 16k;
    }}
  }}
"""


def static(home: Path, port: int) -> list[str]:
    """The command of a server over `home`/www."""
    (home / "www").mkdir(mode=0o755)
    return _command(home, _STATIC.format(home=home, port=port, json=JSON, html=HTML))


def proxy(home: Path, port: int, upstream: str) -> list[str]:
    """The command of a caching proxy."""
    return _command(home, _PROXY.format(home=home, port=port, upstream=upstream.removeprefix("http://")))


def _command(home: Path, http: str) -> list[str]:
    config = home / "nginx.conf"
    config.write_text(_COMMON.format(home=home, http=http))
    return ["nginx", "-e", str(home / "error.log"), "-c", str(config)]
