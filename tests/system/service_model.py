"""Is an answer what the service models of the AWS SDKs say of it?

    MODEL.check_answer("PutRecord", body_as_json)     Data Streams: raises Failure with the place and the reason
    VIDEO.check(path, status, headers, body)          the five services of Video Streams, by the path that was asked for

Looks at the values on the wire rather than at what an SDK makes of them, since SDKs drop what they do not know: required
members, members that the model has not, types, enums, lengths, patterns. The models are those of the newest
botocore to be had: the one in MILLRACE_AWS_CLIENTS, else Debian's, which does not know every operation and member (`complete`
is False then, and what it does not know is not looked at).
"""
import base64
import binascii
import collections
import functools
import gzip
import json
import os
import pathlib
import re
import threading

from harness import Failure

DEBIAN = "/usr/lib/python3/dist-packages"
# Errors that any operation may answer with; those of an operation's own are in the model.
COMMON_ERRORS = {"AccessDeniedException", "ExpiredTokenException", "IncompleteSignatureException", "InternalFailure",
                 "InvalidSignatureException", "MissingAuthenticationTokenException", "SerializationException",
                 "UnknownOperationException", "UnrecognizedClientException", "ValidationException"}
INTEGERS = {"integer": 31, "long": 63}


class Instant(int):
    """Milliseconds since 1970, as CBOR has them; in JSON a timestamp is a number of seconds."""


def _as_python(pattern):
    """Python has no classes of Unicode; its own are as good for letters, numbers and spaces."""
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\w").replace(r"\p{Z}", r"\s")


def _newest_model(service):
    """The one that knows most operations: the CLI has an older one of its own. `service`: "kinesis/2013-12-02"."""
    models = []
    ours = pathlib.Path(os.environ.get("MILLRACE_AWS_CLIENTS", "/nowhere"))
    # aws_clients_test.py may be filling it at this moment.
    for place in ([ours] if (ours / "done").exists() else []) + [pathlib.Path(DEBIAN)]:
        for file in place.glob(f"**/botocore/data/{service}/service-2.json*"):
            raw = file.read_bytes()
            models.append(json.loads(gzip.decompress(raw) if file.suffix == ".gz" else raw))
    if not models:
        raise Failure("no botocore is to be had, neither from PyPI nor Debian's (scripts/deps --test installs it)")
    return max(models, key=lambda model: len(model["operations"]))


class ServiceModel:
    """Read when it is first asked for: a test may install the newest botocore before. Threads: any."""

    def __init__(self, service, newest_operation):
        self._service, self._newest_operation = service, newest_operation
        self.checked = collections.Counter()  # answers by operation, and errors by name
        self.unknown = collections.Counter()  # operations that an older model does not have
        self._lock = threading.Lock()

    @functools.cached_property
    def _model(self):
        return _newest_model(self._service)

    @property
    def operations(self):
        return self._model["operations"]

    @property
    def shapes(self):
        return self._model["shapes"]

    @property
    def complete(self):
        return self._newest_operation in self.operations

    def _errors_of(self, operation):
        """The errors of an operation by their names, with their shapes."""
        shapes = [(one["shape"], self.shapes[one["shape"]]) for one in self.operations.get(operation, {}).get("errors", [])]
        return {shape.get("error", {}).get("code", name): shape for name, shape in shapes}

    def _count(self, name):
        with self._lock:
            self.checked[name] += 1

    def _check(self, shape_name, value, where):
        shape = self.shapes[shape_name]
        kind = shape["type"]

        def refuse(reason):
            raise Failure(f"{where}: {reason}: {value!r:.200}")

        def bounds(size, what):
            if size < shape.get("min", size) or size > shape.get("max", size):
                refuse(f"{what} {size} is not within {shape.get('min')}..{shape.get('max')}")

        if kind == "structure":
            if not isinstance(value, dict):
                refuse("no structure")
            for name in shape.get("required", []):
                if name not in value:
                    refuse(f"the model requires {name}")
            for name, member in value.items():
                if name in shape["members"]:
                    self._check(shape["members"][name]["shape"], member, f"{where}.{name}")
                elif self.complete:
                    refuse(f"the model has no {name}")
        elif kind == "list":
            if not isinstance(value, list):
                refuse("no list")
            # No lower bounds here and for numbers: they are of inputs. The service answers with no ShardLevelMetrics
            # where it has none, although the model wants one.
            if len(value) > shape.get("max", len(value)):
                refuse(f"longer than {shape['max']}")
            for i, item in enumerate(value):
                self._check(shape["member"]["shape"], item, f"{where}[{i}]")
        elif kind == "map":
            if not isinstance(value, dict):
                refuse("no map")
            for key, item in value.items():
                self._check(shape["key"]["shape"], key, f"{where} key")
                self._check(shape["value"]["shape"], item, f"{where}.{key}")
        elif kind == "string":
            if not isinstance(value, str):
                refuse("no string")
            if self.complete and "enum" in shape and value not in shape["enum"]:
                refuse(f"none of {shape['enum']}")
            bounds(len(value), "the length")
            if "pattern" in shape and not re.fullmatch(_as_python(shape["pattern"]), value):
                refuse(f"does not match {shape['pattern']}")
        elif kind in INTEGERS:
            if isinstance(value, bool) or isinstance(value, Instant) or not isinstance(value, int):
                refuse(f"no {kind}")
            if abs(value) >> INTEGERS[kind]:
                refuse(f"too large for {kind}")
            # FailedRecordCount is 0 mostly, although the model wants at least 1.
            if value > shape.get("max", value):
                refuse(f"more than {shape['max']}")
        elif kind == "boolean":
            if not isinstance(value, bool):
                refuse("no boolean")
        elif kind == "timestamp":
            seconds = value / 1000 if isinstance(value, Instant) else value
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1e9 < seconds < 4e9:
                refuse("no timestamp of our times")
        elif kind == "blob":
            if isinstance(value, str):
                try:
                    value = base64.b64decode(value, validate=True)
                except binascii.Error as error:
                    refuse(f"no base64 ({error})")
            if not isinstance(value, bytes):
                refuse("no blob")
            bounds(len(value), "the length")
        else:
            refuse(f"a {kind}, which this checker does not know")


class DataStreamsModel(ServiceModel):
    """Errors come with status 400 and a `__type`."""

    def __init__(self):
        super().__init__("kinesis/2013-12-02", "UpdateStreamRecordDistributionStrategy")

    def check_answer(self, operation, value):
        """`value`: the decoded body; None: it was empty."""
        if operation not in self.operations:
            if self.complete:
                raise Failure(f"{operation} is not in the model")
            with self._lock:
                self.unknown[operation] += 1
            return
        output = self.operations[operation].get("output")
        if output is None:
            if value is not None:
                raise Failure(f"{operation} answers nothing by the model, but it said {value!r:.200}")
        else:
            self._check(output["shape"], value, operation)
        self._count(operation)

    def check_event(self, name, value):
        """An event of SubscribeToShard's stream. The last one of a closed shard has no ContinuationSequenceNumber, although
        the model requires it: clients take the end of the shard by that."""
        if name == "SubscribeToShardEvent":
            children = bool(value.get("ChildShards"))
            if children == ("ContinuationSequenceNumber" in value):
                raise Failure(f"a position and child shards, or neither: {value!r:.300}")
            for child in value.get("ChildShards", []):
                if not child.get("ParentShards"):
                    raise Failure(f"a child shard without parents: {child}")
            if children:
                value = {**value, "ContinuationSequenceNumber": "0"}
        self._check(name, value, name)
        self._count(name)

    def check_event_messages(self, messages):
        """All messages of such a stream, as (headers, payload)."""
        for i, (headers, payload) in enumerate(messages):
            if i == 0:
                if headers.get(":event-type") != "initial-response" or payload not in (b"", b"{}"):
                    raise Failure(f"an event stream begins with {headers} {payload!r:.100}")
            elif headers[":message-type"] == "exception":
                if headers[":exception-type"] not in self.shapes["SubscribeToShardEventStream"]["members"]:
                    raise Failure(f"an event stream of the model has no {headers}")
                self._check(headers[":exception-type"], json.loads(payload), headers[":exception-type"])
            else:
                self.check_event(headers[":event-type"], json.loads(payload))

    def check_error(self, operation, status, body):
        if not isinstance(body, dict) or not isinstance(body.get("__type"), str):
            raise Failure(f"{operation}: an error without its type: {body!r:.200}")
        name = body["__type"]
        known = set(self._errors_of(operation))
        if self.complete and operation in self.operations and name not in known | COMMON_ERRORS:
            raise Failure(f"{operation} answers {name}, which is none of its errors: {sorted(known)}")
        if status != (500 if name == "InternalFailure" else 400):
            raise Failure(f"{operation}: {name} came with status {status}")
        self._count(name)


# Of what stands before the service: any operation may answer with them.
COMMON_VIDEO_ERRORS = {"AccessDeniedException": 403, "ExpiredTokenException": 403, "IncompleteSignatureException": 403,
                       "InternalFailure": 500, "InvalidSignatureException": 403, "MissingAuthenticationTokenException": 403,
                       "SerializationException": 400, "ServiceUnavailableException": 503, "UnrecognizedClientException": 403}


class RestModel(ServiceModel):
    """A service of the rest-json protocol: an operation is a path, an error's name is in a header, a body may be a stream."""

    @functools.cached_property
    def paths(self):
        return {one["http"]["requestUri"]: name for name, one in self.operations.items()}

    def check(self, operation, status, headers, body):
        """`headers`: names in lower case. `body`: None where it is read by somebody else."""
        if not re.fullmatch(r"[0-9a-f-]{36}", headers.get("x-amzn-requestid", "")):
            raise Failure(f"{operation}: no id of the request: {dict(headers)}")
        if status != self.operations[operation]["http"].get("responseCode", 200):
            return self._check_error(operation, status, headers, body)
        if "output" not in self.operations[operation]:
            if json.loads(body) != {}:
                raise Failure(f"{operation}: an answer that the model does not have: {body!r:.200}")
            return self._count(operation)
        shape = self.shapes[self.operations[operation]["output"]["shape"]]
        # Headers' patterns are wrong in the models: the content type's has no slash.
        for name, member in shape["members"].items():
            if member.get("location") == "header" and not headers.get(member["locationName"].lower()):
                raise Failure(f"{operation}: the header {name} of the model is not there: {dict(headers)}")
        value = {}
        if "payload" not in shape:
            if not headers.get("content-type", "").startswith("application/json"):
                raise Failure(f"{operation}: JSON comes as {headers.get('content-type')}")
            value = json.loads(body)
        elif body is not None:
            value[shape["payload"]] = body
        self._check(self.operations[operation]["output"]["shape"], value, operation)
        self._count(operation)

    def _check_error(self, operation, status, headers, body):
        name, known = headers.get("x-amzn-errortype", ""), self._errors_of(operation)
        if headers.get("x-amz-errortype") != name:
            raise Failure(f"{operation}: the error is told in one way only: {dict(headers)}")
        value = json.loads(body)
        if not isinstance(value.get("Message"), str) or not value["Message"]:
            raise Failure(f"{operation}: {name} without a message: {value}")
        if name in known:
            wanted = known[name]["error"]["httpStatusCode"]
        elif name in COMMON_VIDEO_ERRORS or not self.complete:
            wanted = COMMON_VIDEO_ERRORS.get(name, status)
        else:
            raise Failure(f"{operation} answers {name!r}, which is none of its errors: {sorted(known)}")
        if status != wanted:
            raise Failure(f"{operation}: {name} came with status {status}, not {wanted}")
        self._count(name)


class VideoModels:
    """All that a server of video streams answers; the paths of the five services differ."""

    def __init__(self):
        self.services = {name: RestModel(f"{name}/{version}", newest) for name, version, newest in (
            ("kinesisvideo", "2017-09-30", "DescribeStreamStorageConfiguration"), ("kinesis-video-media", "2017-09-30", "GetMedia"),
            ("kinesis-video-archived-media", "2017-09-30", "GetImages"),
            ("kinesis-video-signaling", "2019-12-04", "GetIceServerConfig"),
            ("kinesis-video-webrtc-storage", "2018-05-10", "JoinStorageSessionAsViewer"))}

    @property
    def checked(self):
        return sum((model.checked for model in self.services.values()), collections.Counter())

    @property
    def operations(self):
        return {operation for model in self.services.values() for operation in model.operations}

    def check(self, path, status, headers, body):
        operation = next((model.paths[path] for model in self.services.values() if path in model.paths), None)
        self.check_operation(operation or path, status, headers, body)

    def check_operation(self, operation, status, headers, body):
        for model in self.services.values():
            if operation in model.operations:
                return model.check(operation, status, {name.lower(): value for name, value in headers.items()}, body)
        if any(model.complete for model in self.services.values()):
            raise Failure(f"no model has {operation}")


MODEL = DataStreamsModel()
VIDEO = VideoModels()
