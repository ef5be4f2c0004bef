"""The template on the emulator: deployed, its gaps filled, and kept up with edits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from local.console import Refused
from local.template import Artifact, Template

STACK, BUCKET = "medic", "medic-artifacts"
REGION = "us-east-1"
#: What a call can fail with.
EmulatorError = (BotoCoreError, ClientError)


class Deployment:
    """One stack at one endpoint."""

    def __init__(self, endpoint: str, template: Template) -> None:
        self._endpoint = endpoint
        self._template = template
        self._names: dict[str, str] = {}

    def client(self, service: str) -> Any:
        """A client of the emulator, past any proxy."""
        config = Config(retries={"total_max_attempts": 2}, read_timeout=300, proxies={})
        return boto3.client(service, endpoint_url=self._endpoint, region_name=REGION, config=config)

    def keep_secrets(self, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Have Secrets Manager keep what these parameters name; returns what each then is."""
        client = self.client("secretsmanager")
        return {
            parameter: client.create_secret(Name=f"{STACK}/{parameter}", SecretString=json.dumps(content))["ARN"]
            for parameter, content in secrets.items()
        }

    def deploy(self, parameters: Mapping[str, str]) -> None:
        """Deploy the template as `sam deploy` would. Raises Refused with CloudFormation's reason."""
        cloudformation = self.client("cloudformation")
        body = json.dumps(self._template.packaged(self._upload()))
        self.client("s3").put_object(Bucket=BUCKET, Key="template", Body=body.encode())
        try:
            cloudformation.create_stack(
                StackName=STACK,
                TemplateURL=f"{self._endpoint}/{BUCKET}/template",
                Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        except ClientError as error:
            raise Refused(f"The template could not be deployed: {error.response['Error']['Message']}") from error
        self._wait_for(cloudformation)
        resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        self._names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        self._add_routes()

    def _upload(self) -> dict[str, str]:
        storage = self.client("s3")
        storage.create_bucket(Bucket=BUCKET)
        uris = {}
        for artifact in self._template.artifacts():
            storage.put_object(Bucket=BUCKET, Key=artifact.logical_id, Body=artifact.zipped())
            uris[artifact.logical_id] = f"s3://{BUCKET}/{artifact.logical_id}"
        return uris

    def _wait_for(self, cloudformation: Any) -> None:
        waiter = cloudformation.get_waiter("stack_create_complete")
        try:
            waiter.wait(StackName=STACK, WaiterConfig={"Delay": 0.25, "MaxAttempts": 1200})
        except WaiterError as error:
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
            reason = failed[-1].get("ResourceStatusReason", "") if failed else str(error)
            where = failed[-1]["LogicalResourceId"] if failed else STACK
            raise Refused(f"The template could not be deployed: {where}: {reason}") from error

    def _add_routes(self) -> None:
        """SAM puts routes into the API's OpenAPI body, which the emulator does not read: made one by one here."""
        gateway, functions = self.client("apigatewayv2"), self.client("lambda")
        api = self._names["Api"]
        integrations: dict[str, str] = {}
        for route_key, logical_id in self._template.routes():
            if logical_id not in integrations:
                function = functions.get_function(FunctionName=self._names[logical_id])["Configuration"]["FunctionArn"]
                made = gateway.create_integration(
                    ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
                )
                integrations[logical_id] = made["IntegrationId"]
            target = f"integrations/{integrations[logical_id]}"
            gateway.create_route(ApiId=api, RouteKey=route_key, Target=target)

    def invoke_short_schedules(self) -> None:
        """Give functions on a one-minute schedule their first turn now."""
        functions = self.client("lambda")
        for logical_id in self._template.functions_due_each_minute():
            functions.invoke(FunctionName=self._names[logical_id], InvocationType="Event", Payload=b"{}")

    def functions(self) -> dict[str, str]:
        """Logical id → name of every function."""
        found = (artifact.logical_id for artifact in self._template.artifacts() if not artifact.is_layer)
        return {logical_id: self._names[logical_id] for logical_id in found}

    def replace(self, artifact: Artifact) -> None:
        """Bring an edited folder to what runs: a function's to that function, a layer's to all that use it."""
        functions = self.client("lambda")
        if not artifact.is_layer:
            functions.update_function_code(FunctionName=self._names[artifact.logical_id], ZipFile=artifact.zipped())
            return
        # SAM adds a hash of the content to a layer's logical id.
        version = next(arn for name, arn in self._names.items() if name.startswith(artifact.logical_id))
        layer = version.rsplit(":", 1)[0]
        name = layer.rsplit(":", 1)[1]
        published = functions.publish_layer_version(LayerName=name, Content={"ZipFile": artifact.zipped()})
        for function in self.functions().values():
            used = functions.get_function_configuration(FunctionName=function).get("Layers", [])
            arns = [used_layer["Arn"] for used_layer in used]
            if any(arn.startswith(layer + ":") for arn in arns):
                renewed = [published["LayerVersionArn"] if arn.startswith(layer + ":") else arn for arn in arns]
                functions.update_function_configuration(FunctionName=function, Layers=renewed)
