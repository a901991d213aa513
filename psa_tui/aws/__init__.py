"""S3, SageMaker and CloudWatch; the only package that imports boto3, and only when a command needs it."""
