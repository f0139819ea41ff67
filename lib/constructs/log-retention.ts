import { RetentionDays } from 'aws-cdk-lib/aws-logs';

/** As long as Step Functions keeps an execution's history, so that its logs are there as well. */
export const logRetention = RetentionDays.THREE_MONTHS;
