"""The optional data stack gives what the main one asks of it, and sets sessions as Medic itself would."""

from __future__ import annotations

import json
import re
from typing import Any

from bench.scale_model import PRICES

from local.template import Template
from medic_core.domain.access.addresses import PORTS
from medic_core.store.connection import CONNECT, SESSION
from tests.conftest import ROOT

DATA = Template(ROOT / "infra" / "data.yaml").content
MEDIC = Template(ROOT / "infra" / "template.yaml").content
RESOURCES: dict[str, Any] = DATA["Resources"]
#: What CloudFormation keeps no tags for.
UNTAGGED = {
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::RDS::DBProxyTargetGroup",
}
#: Of a month, as AWS counts.
HOURS = 730
#: ElastiCache takes no longer name, neither of a cache nor of a user.
LONGEST_NAME = 40


def properties(logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[logical_id]["Properties"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == kind}


def test_it_gives_what_is_asked_of_it() -> None:
    asked = set(re.findall(r'"Data", "Outputs\.(\w+)"', json.dumps(MEDIC, default=str)))
    assert len(asked) >= 6
    assert asked <= set(DATA["Outputs"])


def test_it_takes_what_it_is_given() -> None:
    assert set(MEDIC["Resources"]["Data"]["Properties"]["Parameters"]) <= set(DATA["Parameters"])


def test_its_urls_hold_no_password() -> None:
    for name in ("DatabaseUrl", "DatabaseAdminUrl", "RedisUrl"):
        assert "@" not in json.dumps(DATA["Outputs"][name]["Value"])


def test_the_proxy_gives_a_session_what_medic_gives_one_that_it_opens_itself() -> None:
    query = properties("ProxyTargets")["ConnectionPoolConfigurationInfo"]["InitQuery"]
    settings = dict(re.findall(r"SET (\w+) TO '?(\w+)'?", query))
    assert settings == SESSION
    assert str(properties("DatabaseParameters")["Parameters"]["timezone"]) == SESSION["TimeZone"]


def test_nothing_travels_or_lies_in_the_clear() -> None:
    assert properties("Proxy")["RequireTLS"] is True
    assert properties("DatabaseParameters")["Parameters"]["rds.force_ssl"] == "1"
    assert properties("Database")["StorageEncrypted"] is True
    assert "sslmode=verify-full" in json.dumps(DATA["Outputs"]["DatabaseUrl"])
    assert json.dumps(DATA["Outputs"]["RedisUrl"]["Value"]).count("rediss://") == 1


def test_what_was_stored_outlives_the_stack() -> None:
    assert RESOURCES["Database"]["DeletionPolicy"] == "Snapshot"
    assert RESOURCES["DatabaseKey"]["DeletionPolicy"] == "Retain"
    assert properties("Database")["DeletionProtection"] == {"Fn::If": ["Protected", True, False]}
    assert DATA["Parameters"]["DeletionProtection"]["Default"] == "true"
    assert MEDIC["Resources"]["Data"]["DeletionPolicy"] == "Retain"


def test_a_heartbeat_that_is_spooled_needs_no_internet() -> None:
    services = {
        one["ServiceName"]["Fn::Sub"].rpartition(".")[2]
        for one in of_type("AWS::EC2::VPCEndpoint").values()
        if one["VpcEndpointType"] == "Interface"
    }
    assert services == {"sqs", "secretsmanager", "kms", "states"}


def test_a_migration_can_tell_cloudformation_how_it_went_without_internet() -> None:
    """Its answer goes to S3, by an address that CloudFormation signed."""
    endpoint = properties("StorageEndpoint")
    assert endpoint["ServiceName"]["Fn::Sub"].endswith(".s3")
    tables = {
        one["RouteTableId"]["Ref"]
        for one in of_type("AWS::EC2::SubnetRouteTableAssociation").values()
        if one["SubnetId"]["Ref"].startswith("Function")
    }
    assert {table["Ref"] for table in endpoint["RouteTableIds"]} == tables


def test_functions_may_go_to_the_ports_that_webhooks_may_have() -> None:
    rules = properties("FunctionSecurityGroup")["SecurityGroupEgress"]
    assert {rule["FromPort"] for rule in rules} == {rule["ToPort"] for rule in rules} == PORTS
    assert "SecurityGroupIngress" not in properties("FunctionSecurityGroup")


def test_within_the_network_only_what_must_speak_to_each_other_can() -> None:
    def ways(kind: str, source: str, target: str) -> set[tuple[str, str, int]]:
        return {
            (one[source]["Fn::GetAtt"][0], one[target]["Fn::GetAtt"][0], one["FromPort"])
            for one in of_type(kind).values()
            if one["FromPort"] == one["ToPort"]
        }

    within = {
        ("FunctionSecurityGroup", "ProxySecurityGroup", 5432),
        ("FunctionSecurityGroup", "DatabaseSecurityGroup", 5432),
        ("ProxySecurityGroup", "DatabaseSecurityGroup", 5432),
        ("FunctionSecurityGroup", "CacheSecurityGroup", 6379),
    }
    assert ways("AWS::EC2::SecurityGroupEgress", "GroupId", "DestinationSecurityGroupId") == within
    to_services = ("FunctionSecurityGroup", "EndpointSecurityGroup", 443)
    assert ways("AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId", "GroupId") == within | {to_services}
    for name, group in of_type("AWS::EC2::SecurityGroup").items():
        assert "SecurityGroupIngress" not in group, name
        # Without one, it may go everywhere.
        assert group["SecurityGroupEgress"], name


def test_where_data_lies_there_is_no_way_out() -> None:
    associated = {one["SubnetId"]["Ref"] for one in of_type("AWS::EC2::SubnetRouteTableAssociation").values()}
    kept_in = {subnet["Ref"] for subnet in properties("DatabaseSubnets")["SubnetIds"]}
    assert len(kept_in) == 2
    # Without a table of their own they have the network's, which knows the network alone.
    assert not kept_in & associated
    assert {subnet["Ref"] for subnet in properties("Cache")["SubnetIds"]} == kept_in
    assert {subnet["Ref"] for subnet in properties("Proxy")["VpcSubnetIds"]} == kept_in


def test_with_a_gateway_in_each_zone_no_zone_needs_the_other() -> None:
    assert properties("FunctionRouteA")["NatGatewayId"] == {"Ref": "NatA"}
    assert properties("FunctionRouteB")["NatGatewayId"] == {"Fn::If": ["EachZone", {"Ref": "NatB"}, {"Ref": "NatA"}]}
    for zone in "AB":
        assert properties(f"Nat{zone}")["SubnetId"] == {"Ref": f"PublicSubnet{zone}"}
        zones = {str(properties(f"{kind}Subnet{zone}")["AvailabilityZone"]) for kind in ("Function", "Data", "Public")}
        assert len(zones) == 1


def test_subnets_do_not_overlap() -> None:
    places = [one["CidrBlock"]["Fn::Select"][0] for one in of_type("AWS::EC2::Subnet").values()]
    assert sorted(places) == list(range(6))
    counts = {one["CidrBlock"]["Fn::Select"][1]["Fn::Cidr"][1] for one in of_type("AWS::EC2::Subnet").values()}
    assert counts == {6}


def test_the_log_of_the_database_ends_and_holds_no_values() -> None:
    """What a slow statement was given stands beside it in the log: digests of keys, sealed secrets."""
    given = properties("DatabaseParameters")["Parameters"]
    assert {name for name in given if name.startswith("log_")} == {"log_statement"}
    assert given["log_statement"] == "ddl"
    (part,) = {str(one) for one in parts_of_names()}
    assert part in str(properties("DatabaseLogGroup")["LogGroupName"])
    assert properties("DatabaseLogGroup")["RetentionInDays"] == 30
    # Whoever is first makes it.
    assert RESOURCES["Database"]["DependsOn"] == "DatabaseLogGroup"


def parts_of_names() -> list[Any]:
    """What in the names of the cluster and of its log belongs to this stack alone."""
    (template, values) = properties("Database")["DBClusterIdentifier"]["Fn::Sub"]
    (log_template, log_values) = properties("DatabaseLogGroup")["LogGroupName"]["Fn::Sub"]
    assert log_template == f"/aws/rds/cluster/{template}/postgresql"
    return [values["Part"], log_values["Part"]]


def test_a_stack_that_was_left_behind_does_not_stand_in_the_way_of_the_next() -> None:
    assert all("AWS::StackId" in str(part) for part in parts_of_names())
    named = {
        "Proxy": "DBProxyName",
        "CacheUser": "UserId",
        "CacheUsers": "UserGroupId",
        "Cache": "ServerlessCacheName",
    }
    for logical_id, name in named.items():
        assert properties(logical_id)[name] == {"Ref": "Database"}, logical_id
    longest_stage = int(re.findall(r"\{0,(\d+)\}$", DATA["Parameters"]["Stage"]["AllowedPattern"])[0]) + 1
    assert len("medic--") + longest_stage + len("0a1b2c3d") <= LONGEST_NAME


def test_a_stage_that_medic_takes_is_one_that_its_data_take() -> None:
    assert DATA["Parameters"]["Stage"]["AllowedPattern"] == MEDIC["Parameters"]["Stage"]["AllowedPattern"]


def test_everything_says_which_stage_it_belongs_to() -> None:
    tag = {"Key": "medic-stage", "Value": {"Ref": "Stage"}}
    for logical_id, resource in RESOURCES.items():
        tags = resource.get("Properties", {}).get("Tags", [])
        assert (tag in tags) != (resource["Type"] in UNTAGGED), logical_id


def test_the_proxy_reads_one_secret_and_may_nothing_else() -> None:
    (policy,) = properties("ProxyRole")["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    (auth,) = properties("Proxy")["Auth"]
    assert statement["Resource"] == auth["SecretArn"] == DATA["Outputs"]["DatabaseSecretArn"]["Value"]


def test_a_proxy_without_a_free_connection_says_so_before_a_client_gives_up() -> None:
    pool = properties("ProxyTargets")["ConnectionPoolConfigurationInfo"]
    assert pool["ConnectionBorrowTimeout"] <= CONNECT["connect_timeout"]


def test_what_is_written_about_its_cost_adds_up_and_is_what_the_model_of_costs_says() -> None:
    text = (ROOT / "docs" / "data-stack.md").read_text()
    table = text[text.index("| part |") : text.index("| **together**")]
    rows = {cells[1].strip(): float(cells[3]) for line in table.splitlines()[2:] if (cells := line.split("|"))}
    (together,) = re.findall(r"\*\*together\*\* \| \| \*\*(\d+)\*\*", text)
    assert sum(rows.values()) == float(together)
    instances = 1 + DATA["Parameters"]["Readers"]["Default"]
    units = instances * DATA["Parameters"]["LowestCapacity"]["Default"]
    assert rows["Aurora"] == round(units * PRICES["aurora_unit_hour"] * HOURS)
    assert rows["RDS Proxy"] == round(PRICES["proxy_lowest_units"] * PRICES["proxy_unit_hour"] * HOURS)
    assert rows["Valkey"] == PRICES["cache_month"]
    assert rows["four endpoints in two zones"] == PRICES["endpoints_month"]


def test_what_is_written_about_its_defaults_is_so() -> None:
    text = (ROOT / "docs" / "data-stack.md").read_text()
    parameters = DATA["Parameters"]
    lowest, highest = parameters["LowestCapacity"]["Default"], parameters["HighestCapacity"]["Default"]
    instances = ("one", "two")[parameters["Readers"]["Default"]]
    assert f"{lowest} to {highest} capacity units, in {instances} instances" in text
    assert f"{parameters['BackupDays']['Default']} days of backup" in text
    assert f"Network {parameters['NetworkRange']['Default']}" in text
    assert f"| **{parameters['NatGateways']['Default']}** |" in text
    for name in re.findall(r"`(NatGateways|Readers|WithInsights|DeletionProtection)", text):
        assert name in parameters
