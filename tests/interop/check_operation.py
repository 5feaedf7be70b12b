#!/usr/bin/env python3
"""Checks what a running node says of itself, with the stock tools that operators have.

Asks for its health and for what it can be asked by gRPC's own clients, with a token and without,
and reads its figures with the strict parser of OpenMetrics. Needs Python 3.11 and the packages in
requirements.txt. Prints one line a check and ends with `N passed, N failed`; the exit status is 1 if
anything failed.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from prometheus_client.openmetrics.parser import text_string_to_metric_families

NAMES = Path(__file__).resolve().parents[2] / "deploy" / "OPERATING.md"
CALL_SECONDS = 10


class Wrong(Exception):
    """Something that is not as it should be, in words."""


def connect(address: str, certificate: bytes, token: str | None) -> grpc.Channel:
    """A channel that trusts this certificate alone, and shows the token if there is one."""
    credentials = grpc.ssl_channel_credentials(root_certificates=certificate)
    if token is not None:
        shown = grpc.access_token_call_credentials(token)
        credentials = grpc.composite_channel_credentials(credentials, shown)
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_http_proxy", 0)]
    return grpc.secure_channel(address, credentials, options)


def health(channel: grpc.Channel) -> str:
    """The node and a service of it are serving, and a name of nothing is not found."""
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", "corridor.v1.RecordService", "corridor.writes", "corridor.signs"):
        request = health_pb2.HealthCheckRequest(service=name)
        said = stub.Check(request, timeout=CALL_SECONDS).status
        if said != health_pb2.HealthCheckResponse.SERVING:
            raise Wrong(f"{name!r} is {said}")
        first = next(iter(stub.Watch(request, timeout=CALL_SECONDS))).status
        if first != said:
            raise Wrong(f"{name!r}: a watch begins with {first}")
    try:
        stub.Check(health_pb2.HealthCheckRequest(service="corridor.v2"), timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            return "serving, to anybody"
        raise
    raise Wrong("a service that nobody has is there")


def reflection(channel: grpc.Channel) -> str:
    """The services can be listed, and a message of one can be made without a .proto file."""
    database = ProtoReflectionDescriptorDatabase(channel)
    names = set(database.get_services())
    wanted = {"corridor.v1.RecordService", "corridor.v1.NodeService", "grpc.health.v1.Health"}
    if not wanted <= names or "corridor.v1.ExchangeService" in names:
        raise Wrong(f"listed are {sorted(names)}")
    service = DescriptorPool(database).FindServiceByName("corridor.v1.RecordService")
    method = service.FindMethodByName("GetRecord")
    if method.input_type.fields_by_name["name"].number != 1:
        raise Wrong("GetRecord is not described as it is")
    return f"{len(names)} services"


def no_reflection(channel: grpc.Channel) -> str:
    """Without a token nothing is told."""
    try:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            return "UNAUTHENTICATED"
        raise
    raise Wrong("somebody without a token was told")


def figures(url: str) -> str:
    """The figures are OpenMetrics, and each family is one that the page for operators names."""
    request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})
    with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
        text = answer.read().decode()
    page = NAMES.read_text(encoding="utf-8")
    families = list(text_string_to_metric_families(text))
    for family in families:
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        if f"`{family.name}{suffix}`" not in page:
            raise Wrong(f"{family.name}{suffix} is not in {NAMES.name}")
    if len(families) < 15:
        raise Wrong(f"only {len(families)} families")
    return f"{len(families)} families"


def main() -> int:
    """Reads the command line and runs the checks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--profile", type=Path, required=True, metavar="FILE", help="a client's profile: TOML"
    )
    parser.add_argument(
        "--cert", type=Path, required=True, metavar="FILE", help="the node's API certificate: PEM"
    )
    parser.add_argument("--metrics", required=True, metavar="URL", help="where the figures are")
    arguments = parser.parse_args()
    profile = tomllib.loads(arguments.profile.read_text(encoding="utf-8"))
    address, certificate = profile["address"], arguments.cert.read_bytes()
    passed = failed = 0
    with (
        connect(address, certificate, profile["token"]) as known,
        connect(address, certificate, None) as nobody,
    ):
        checks: list[tuple[str, Callable[[], str]]] = [
            ("health", lambda: health(nobody)),
            ("health with a token", lambda: health(known)),
            ("reflection", lambda: reflection(known)),
            ("reflection without a token", lambda: no_reflection(nobody)),
            ("figures", lambda: figures(arguments.metrics)),
        ]
        for name, check in checks:
            try:
                print(f"{name}: {check()}")
                passed += 1
            except (Wrong, grpc.RpcError, OSError, ValueError) as error:
                print(f"{name}: FAILED {error}")
                failed += 1
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
