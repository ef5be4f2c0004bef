# ruff: noqa: SLF001  (the emulator offers no other way in)
"""Where the emulator is not as AWS is, and what is done about it.

Written for the one version that requirements/run.in names: MiniStack is reached into by the names it has there.
How each gap was found, and its figures: docs/adr/0001.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_request_client_ip
from ministack.services import lambda_svc, scheduler, stepfunctions

#: Metrics are for machines.
FOR_MACHINES = '{"_aws":'
#: The last line of a traceback.
RAISED = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)(?:: .*)?")
#: So many processes of one function, for the state machine; and as many for requests.
MOST_PROCESSES = 6
#: In the thread of a run: its ARN.
RUN: ContextVar[str] = ContextVar("run", default="")
FAILED = {"statusCode": 500, "body": '{"message":"Internal Server Error"}'}


def fill() -> None:
    """Fill them all, before the emulator serves."""
    _let_functions_be_heard()
    _tell_who_called()
    _fail_without_a_word()
    _look_at_the_clock_each_second()
    _name_what_went_wrong()
    _start_few_processes_at_once()
    _let_requests_take_turns()
    _let_tasks_time_out()
    _let_callbacks_fail()
    _end_callbacks_with_their_runs()


def without_preflight(method: str) -> str:
    """An OPTIONS request, spelled so that the emulator passes it on.

    It would answer 403 itself; AWS leaves these requests to the API's routes, unless the API is configured for CORS.
    """
    return "options" if method == "OPTIONS" else method


class HeardWorker(lambda_runtime.Worker):  # type: ignore[misc]
    """A function's process whose lines are shown as it writes them, and with them why it failed.

    The emulator would hand them to a log when the invocation is over, and hold the answer back for 50 ms while there
    might be some.
    """

    def _read_stderr(self) -> None:
        for line in self._proc.stderr:
            self._show(line)

    def _drain_stderr_bounded(self, **_: float) -> str:
        return ""

    def _spawn(self) -> None:
        try:
            super()._spawn()
        except RuntimeError as error:
            self._show(f"it cannot start: {error}")
            raise

    def invoke(self, *given: Any, **named: Any) -> dict[str, Any]:
        answer: dict[str, Any] = super().invoke(*given, **named)
        # Where the stage itself stops, the end of a function is no news.
        if answer["status"] == "error" and lambda_runtime._workers:
            self._show(answer.get("trace") or answer["error"])
        return answer

    def _show(self, text: str) -> None:
        # The stack's name, the function's name in the template, a suffix.
        function = self.func_name.split("-")[1].removesuffix("Function")
        for line in text.splitlines():
            if line.strip() and not line.startswith(FOR_MACHINES):
                print(f"  {function} | {line}", flush=True)


def _let_functions_be_heard() -> None:
    lambda_runtime.Worker = HeardWorker
    # Nobody reads the emulator's own copy, which would grow with every invocation.
    lambda_svc._emit_lambda_logs = lambda *_, **__: None


def _tell_who_called() -> None:
    """The event says whose address a request came from; the emulator would say 127.0.0.1."""
    execute = lambda_svc._execute_function_with_config_scope

    def execute_for_caller(function: dict[str, Any], event: Any) -> Any:
        if isinstance(event, dict) and (http := event.get("requestContext", {}).get("http")):
            http.update(sourceIp=get_request_client_ip(), method=http["method"].upper())
        return execute(function, event)

    lambda_svc._execute_function_with_config_scope = execute_for_caller


def _fail_without_a_word() -> None:
    """A function that fails is a 500 that says no more; the emulator would answer 502 with the exception's text."""
    answer = lambda_svc.lambda_execute_result_to_api_proxy_response

    def answer_or_500(result: dict[str, Any]) -> Any:
        return (dict(FAILED), None) if result.get("error") else answer(result)

    lambda_svc.lambda_execute_result_to_api_proxy_response = answer_or_500


def _look_at_the_clock_each_second() -> None:
    """The emulator would look every ten: a schedule of one minute would fire after 60 to 70 s."""
    scheduler._SCHEDULE_TICK_INTERVAL = 1


def _name_what_went_wrong() -> None:
    """A function's error is its exception's class; the emulator has one name for all. Dead processes are unknown."""
    execute = lambda_svc._execute_function_with_config_scope

    def execute_and_name(function: dict[str, Any], event: Any) -> Any:
        result = execute(function, event)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            last = (result.get("log") or "").strip().rpartition("\n")[2]
            raised = RAISED.fullmatch(last)
            body["errorType"] = raised[1] if raised else "Lambda.Unknown"
        return result

    lambda_svc._execute_function_with_config_scope = execute_and_name


def _start_few_processes_at_once() -> None:
    """Runs of the state machine wait for one another's functions; AWS has room for all, this machine has not."""
    call = stepfunctions._call_lambda
    room: dict[str, threading.BoundedSemaphore] = {}

    def call_in_turn(function: str, event: Any) -> Any:
        with room.setdefault(function, threading.BoundedSemaphore(MOST_PROCESSES)):
            return call(function, event)

    stepfunctions._call_lambda = call_in_turn


def _let_requests_take_turns() -> None:
    """A request waits for a process of its function, and a function's processes are started one by one.

    The emulator would start one for each request that finds none free, as AWS does. Here the start of one keeps the
    others from answering, so that more are started, until nobody answers at all.
    """
    execute = lambda_svc._execute_function_with_config_scope
    rooms: dict[str, Room] = {}

    def execute_in_turn(function: dict[str, Any], event: Any) -> Any:
        if not isinstance(event, dict) or "http" not in event.get("requestContext", {}):
            return execute(function, event)
        with rooms.setdefault(function["config"]["FunctionName"], Room()).place():
            return execute(function, event)

    lambda_svc._execute_function_with_config_scope = execute_in_turn


class Room:
    """Places for the requests to one function: as many as it has processes, and one more while none is starting."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._started = self._taken = 0
        self._is_starting = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place, and have it. Who finds no process free starts one."""
        with self._changed:
            self._changed.wait_for(self._has_place)
            is_starting = self._taken >= self._started
            self._is_starting |= is_starting
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                if is_starting:
                    self._started += 1
                    self._is_starting = False
                self._changed.notify(2)

    def _has_place(self) -> bool:
        return self._taken < self._started or (self._started < MOST_PROCESSES and not self._is_starting)


def _let_tasks_time_out() -> None:
    """A task's patience can be a path into its input; the emulator knows a number only."""
    execute = stepfunctions._execute_task

    def execute_in_time(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        path = state.get("TimeoutSecondsPath")
        if path is not None:
            state = {**state, "TimeoutSeconds": stepfunctions._resolve_path(path, given)}
        return execute(state, given, execution, context)

    stepfunctions._execute_task = execute_in_time


def _let_callbacks_fail() -> None:
    """A function that is to keep a task token and fails has failed; the emulator would wait for an answer for ever."""
    invoke = stepfunctions._invoke_with_callback

    def invoke_or_fail(resource: str, given: Any, token: str, state: dict[str, Any]) -> Any:
        if "lambda:invoke" not in resource:
            return invoke(resource, given, token, state)
        function = stepfunctions._resolve_lambda_function_ref(given["FunctionName"], optimized=True)
        waiting: dict[str, Any] = {"event": threading.Event(), "result": None, "error": None, "heartbeat": None}
        waiting["run"] = RUN.get()
        stepfunctions._task_tokens[token] = waiting
        try:
            stepfunctions._call_lambda(function, given["Payload"])
            return _answered(waiting, state.get("TimeoutSeconds"))
        finally:
            stepfunctions._task_tokens.pop(token, None)

    stepfunctions._invoke_with_callback = invoke_or_fail


def _answered(waiting: Mapping[str, Any], seconds: float | None) -> Any:
    if not waiting["event"].wait(timeout=seconds):
        raise stepfunctions._ExecutionError("States.Timeout", "nobody answered in time")
    if waiting["error"]:
        raise stepfunctions._ExecutionError(waiting["error"].get("Error", ""), waiting["error"].get("Cause", ""))
    return json.loads(waiting["result"] or "{}")


def _end_callbacks_with_their_runs() -> None:
    """A run that was stopped waits no more; the emulator would wait on, and take an answer to it as if it counted."""
    execute, stop = stepfunctions._execute_task, stepfunctions._stop_execution

    def execute_as(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        RUN.set(execution["executionArn"])
        return execute(state, given, execution, context)

    def stop_and_end(data: dict[str, Any]) -> Any:
        answer = stop(data)
        for token, waiting in list(stepfunctions._task_tokens.items()):
            if waiting.get("run") == data.get("executionArn"):
                stepfunctions._task_tokens.pop(token, None)
                waiting["error"] = {"Error": "States.TaskFailed", "Cause": "its run was stopped"}
                waiting["event"].set()
        return answer

    stepfunctions._execute_task, stepfunctions._stop_execution = execute_as, stop_and_end
