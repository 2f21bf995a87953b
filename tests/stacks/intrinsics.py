"""Templates as they come out: CloudFormation's functions replaced by what they give in one account."""

from typing import Any

ACCOUNT = "123456789012"

_NAMES_AND_ARNS = {
    "AWS::Events::EventBus": ("Name", "events:{region}:{account}:event-bus/{name}"),
    "AWS::Events::Rule": ("Name", "events:{region}:{account}:rule/{name}"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb:{region}:{account}:table/{name}"),
    "AWS::IAM::Role": ("RoleName", "iam::{account}:role/{name}"),
    "AWS::Kinesis::Stream": ("Name", "kinesis:{region}:{account}:stream/{name}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda:{region}:{account}:function:{name}"),
    "AWS::Logs::Destination": ("DestinationName", "logs:{region}:{account}:destination:{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs:{region}:{account}:log-group:{name}:*"),
    "AWS::SNS::Topic": ("TopicName", "sns:{region}:{account}:{name}"),
    "AWS::SQS::Queue": ("QueueName", "sqs:{region}:{account}:{name}"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager:{region}:{account}:secret:{name}-abcdef"),
}
_REF_IS_THE_ARN = ("AWS::SNS::Topic", "AWS::SecretsManager::Secret")


class Resolver:
    """A Ref is the resource's name (its type, where AWS makes the name up), GetAtt Arn its ARN. Any other function is
    an error: no test shall compare what was not understood."""

    def __init__(self, template: dict[str, Any], region: str) -> None:
        self._resources = template["Resources"]
        self._region = region

    def __call__(self, value: Any) -> Any:
        match value:
            case list():
                return [self(item) for item in value]
            case {"Ref": "AWS::AccountId"}:
                return ACCOUNT
            case {"Ref": "AWS::Partition"}:
                return "aws"
            case {"Ref": str(logical_id)}:
                return self._name(logical_id)
            case {"Fn::GetAtt": [str(logical_id), str(attribute)]}:
                return self._attribute(logical_id, attribute)
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(self(parts))
            case {"Fn::Sub": str(text)}:
                return text.replace("${AWS::AccountId}", ACCOUNT)
            case dict():
                assert not any(key.startswith("Fn::") for key in value), f"not understood: {value}"
                return {key: self(item) for key, item in value.items()}
        return value

    def _name(self, logical_id: str) -> str:
        resource = self._resources[logical_id]
        if resource["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.{self._region}.amazonaws.com/{ACCOUNT}/{resource['Properties']['QueueName']}"
        if resource["Type"] in _REF_IS_THE_ARN:
            return self._attribute(logical_id, "Arn")
        if resource["Type"] not in _NAMES_AND_ARNS:
            return f"<{resource['Type']}>"
        return str(resource["Properties"][_NAMES_AND_ARNS[resource["Type"]][0]])

    def _attribute(self, logical_id: str, attribute: str) -> str:
        resource = self._resources[logical_id]
        if attribute != "Arn" or resource["Type"] not in _NAMES_AND_ARNS:
            return f"<{resource['Type']} {attribute}>"
        name, arn = _NAMES_AND_ARNS[resource["Type"]]
        form = f"arn:aws:{arn}"
        return form.format(region=self._region, account=ACCOUNT, name=resource["Properties"][name])
