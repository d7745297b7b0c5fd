import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/** What a function needs beside its program. */
export interface Needs {
  environment?: Record<string, string>;
  memorySize?: number;
  timeout?: Duration;
}

/** Makes the push house's functions, of the archives that `make lambda` builds. */
export class Functions {
  /**
   * On AWS they run on arm64. PUSH_ARCHITECTURE=x86_64 takes the programs for
   * the other processor, with which Gatepost runs them on such a machine.
   */
  private readonly architecture = process.env.PUSH_ARCHITECTURE === 'x86_64' ? Architecture.X86_64 : Architecture.ARM_64;

  constructor(private readonly scope: Construct, private readonly logs: LogGroup) {}

  /** A function: id in this stack, program is a folder of push/cmd. */
  make(id: string, program: string, needs: Needs = {}): Function {
    return new Function(this.scope, id, {
      runtime: Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: this.architecture,
      code: Code.fromAsset(this.archive(program)),
      memorySize: needs.memorySize ?? 256,
      timeout: needs.timeout ?? Duration.seconds(5),
      environment: needs.environment,
      logGroup: this.logs,
    });
  }

  private archive(program: string): string {
    const goarch = this.architecture === Architecture.X86_64 ? 'amd64' : 'arm64';
    const file = join(process.cwd(), '../../../dist/lambda', goarch, `${program}.zip`);
    if (!existsSync(file)) {
      throw new Error(`${file} is not there: run "make lambda ARCH=${goarch}" in the top folder of the repository`);
    }
    return file;
  }
}

/** Allows a function some actions on some resources, and nothing more. */
export function allow(fn: Function, actions: string[], ...resources: string[]): void {
  fn.addToRolePolicy(new PolicyStatement({ effect: Effect.ALLOW, actions, resources }));
}

/** What the library calls to change rows. */
const change = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'];

/** The rights on the roster, named after what a function does with it. */
export const roster = {
  add: (fn: Function, table: TableV2) => allow(fn, ['dynamodb:GetItem', 'dynamodb:PutItem'], table.tableArn),
  remove: (fn: Function, table: TableV2) => allow(fn, change, table.tableArn),
  join: (fn: Function, table: TableV2) => allow(fn, ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], table.tableArn),
  leave: (fn: Function, table: TableV2) => allow(fn, ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'], table.tableArn),
  sweep: (fn: Function, table: TableV2) => {
    allow(fn, ['dynamodb:Query'], `${table.tableArn}/index/Recent`);
    allow(fn, change, table.tableArn);
  },
  /** Reads who is there, and removes those who are gone. */
  publish: (fn: Function, table: TableV2) => {
    allow(fn, ['dynamodb:Query'], table.tableArn, `${table.tableArn}/index/Recent`, `${table.tableArn}/index/Users`);
    allow(fn, change, table.tableArn);
  },
};
