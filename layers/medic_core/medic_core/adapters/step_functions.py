"""Step Functions. boto3 takes a quarter of a second to import, so it is imported when it is first needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from medic_core.ports import EngineStatus


class StepFunctions:
    """The state machine by its ARN; keeps `ports.Machine`."""

    def __init__(self, machine_arn: str) -> None:
        self._arn = machine_arn

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3})
        return boto3.client("stepfunctions", config=config)

    def start(self, name: str, given: Mapping[str, Any]) -> None:
        """Begin a run. A name stands for one run for ever, so one that was taken is ours, begun before."""
        client = self._client
        try:
            client.start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(given))
        except client.exceptions.ExecutionAlreadyExists:
            return

    def stop(self, name: str) -> None:
        """End a run."""
        client = self._client
        try:
            client.stop_execution(executionArn=self._run(name), cause="Medic has ended it")
        except client.exceptions.ExecutionDoesNotExist:
            return
        except client.exceptions.ClientError as error:
            # One that is over already.
            if error.response["Error"]["Code"] != "ValidationException":
                raise

    def status(self, name: str) -> EngineStatus:
        """What has become of a run."""
        client = self._client
        try:
            status = client.describe_execution(executionArn=self._run(name))["status"]
        except client.exceptions.ExecutionDoesNotExist:
            return EngineStatus.UNKNOWN
        return EngineStatus.RUNNING if status == "RUNNING" else EngineStatus.ENDED

    def answer(self, task_token: str, given: Mapping[str, Any]) -> bool:
        """Let a run that waits go on."""
        client = self._client
        gone = (client.exceptions.TaskTimedOut, client.exceptions.InvalidToken, client.exceptions.TaskDoesNotExist)
        try:
            client.send_task_success(taskToken=task_token, output=json.dumps(given))
        except gone:
            return False
        return True

    def _run(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"
