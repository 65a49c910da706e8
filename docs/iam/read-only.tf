# A role that reads what an audit of Client VPN endpoints rests on.
# Made from the table of reads by `make docs`.

variable "auditor" {
  description = "ARN of who may assume the role: the auditor's account, user or role"
  type        = string
}

variable "external_id" {
  description = "Agreed with the auditor; given to auditlib as --external-id"
  type        = string

  validation {
    condition     = length(var.external_id) >= 2
    error_message = "An external id has at least two characters."
  }
}

variable "leave_out" {
  description = "Sids of optional statements to leave out; those of the default serve only what is asked for by an option"
  type        = set(string)
  default     = ["OptionalCloudtrail"]
}

locals {
  statements = {
    ReadClientVpnAndItsSurroundings = [
      "ec2:DescribeClientVpnAuthorizationRules",
      "ec2:DescribeClientVpnConnections",
      "ec2:DescribeClientVpnEndpoints",
      "ec2:DescribeClientVpnRoutes",
      "ec2:DescribeClientVpnTargetNetworks",
      "ec2:DescribeManagedPrefixLists",
      "ec2:DescribeNetworkAcls",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroupRules",
      "ec2:DescribeSecurityGroupVpcAssociations",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeTransitGatewayAttachments",
      "ec2:DescribeVpcPeeringConnections",
      "ec2:DescribeVpcs",
      "ec2:ExportClientVpnClientCertificateRevocationList",
      "ec2:GetClientVpnEndpointAuthorizationPolicy",
      "ec2:GetManagedPrefixListEntries",
    ]
    OptionalAcm = [
      "acm:DescribeCertificate",
    ]
    OptionalCloudtrail = [
      "cloudtrail:LookupEvents",
    ]
    OptionalDs = [
      "ds:DescribeDirectories",
    ]
    OptionalIam = [
      "iam:GetSAMLProvider",
    ]
    OptionalLambda = [
      "lambda:GetFunctionConfiguration",
    ]
    OptionalLogs = [
      "logs:DescribeLogGroups",
      "logs:DescribeLogStreams",
    ]
    OptionalRegions = [
      "ec2:DescribeRegions",
    ]
    OptionalServicequotas = [
      "servicequotas:ListServiceQuotas",
    ]
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.auditor]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

data "aws_iam_policy_document" "reads" {
  dynamic "statement" {
    for_each = { for sid, actions in local.statements : sid => actions if sid == "ReadClientVpnAndItsSurroundings" || !contains(var.leave_out, sid) }

    content {
      sid       = statement.key
      actions   = statement.value
      resources = ["*"]
    }
  }
}

resource "aws_iam_role" "auditor" {
  name                 = "auditlib-read-only"
  description          = "Read-only audit of Client VPN endpoints"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "reads" {
  name   = "auditlib-read-only"
  role   = aws_iam_role.auditor.id
  policy = data.aws_iam_policy_document.reads.json
}

output "role_arn" {
  value = aws_iam_role.auditor.arn
}
