import { GetParameterCommand, GetParametersByPathCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { namedClusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import { messageOf, RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Settings } from '../../core/ports/surroundings';
import { ask, askIfThere } from './api-error';
import { BriefCache } from './brief-cache';

/** A deployment with other settings is seen after at most this long. */
const keepMs = 60_000;

/** The clusters of rejoin.yaml, one a parameter of Systems Manager. */
export class ParameterSettings implements Settings {
  private readonly cache: BriefCache<ClusterSettings>;

  /** @param prefix the path of the parameters: `/rejoin/clusters` */
  constructor(
    private readonly client: SSMClient,
    private readonly prefix: string,
    clock: Clock,
  ) {
    this.cache = new BriefCache(clock, keepMs);
  }

  cluster(name: string): Promise<ClusterSettings> {
    return this.cache.get(name, () => this.read(name));
  }

  private async read(name: string): Promise<ClusterSettings> {
    const parameter = `${this.prefix}/${name}`;
    const found = await askIfThere(
      `read parameter '${parameter}'`,
      this.client.send(new GetParameterCommand({ Name: parameter })),
      { ParameterNotFound: 'NotFound' },
    );
    if (found === null) {
      const others = (await this.names()).join(', ');
      throw new RejoinError('NotFound', `there are no settings of a cluster '${name}' (clusters: ${others || 'none'})`);
    }
    return parse(parameter, found.Parameter?.Value ?? '');
  }

  private async names(): Promise<readonly string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const page = await ask(
        `list the parameters under '${this.prefix}'`,
        this.client.send(
          new GetParametersByPathCommand({ Path: this.prefix, ...(token === undefined ? {} : { NextToken: token }) }),
        ),
      );
      names.push(...(page.Parameters ?? []).map(({ Name }) => (Name ?? '').slice(this.prefix.length + 1)));
      token = page.NextToken;
    } while (token !== undefined);
    return names.sort();
  }
}

function parse(parameter: string, text: string): ClusterSettings {
  try {
    return namedClusterSettingsSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new RejoinError(
      'InvalidSettings',
      `parameter '${parameter}' does not hold the settings of a cluster; deploy the foundation stack again: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}
