// Finds the handler in the function's code, as Lambda does: the part of
// "dir/file.name.name" up to the first dot after the last slash is a file
// without its extension, and what follows are names in what it exports.

import fs from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { HandlerNotFound, ImportModuleError, MalformedHandlerName, MalformedStreamingHandler, UserCodeSyntaxError } from './errors.mjs';

const require = module.createRequire(import.meta.url);
const streaming = Symbol.for('aws.lambda.runtime.handler.streaming');

export async function loadHandler(root, name) {
  if (name.includes('..')) {
    throw new MalformedHandlerName(`'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const [, file, names] = /^([^.]*)\.(.*)$/.exec(base) ?? [];
  if (file === undefined) throw new MalformedHandlerName('Bad handler');
  const folder = name.slice(0, name.indexOf(base));
  let handler = await loadModule(root, folder, file);
  for (const key of names.split('.')) handler = handler?.[key];
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new HandlerNotFound(`${name} is not a function`);
  return handler;
}

// streams reports whether the handler writes its response to a stream.
export function streams(handler) {
  const how = handler[streaming];
  if (!how) return false;
  if (how !== 'response') throw new MalformedStreamingHandler('Only response streaming is supported.');
  return true;
}

async function loadModule(root, folder, file) {
  try {
    return await load(path.resolve(root, folder, file), () =>
      require(require.resolve(folder + file, { paths: [root, path.join(root, folder)] })));
  } catch (error) {
    if (error instanceof SyntaxError) throw because(new UserCodeSyntaxError(String(error)), error);
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      suggest(error);
      if (error.code === 'MODULE_NOT_FOUND') throw because(new ImportModuleError(String(error)), error);
    }
    throw error;
  }
}

// load tries the files that the path may mean, and what otherwise does.
async function load(base, otherwise) {
  if (isFile(base)) return require(base);
  const asModule = isFile(`${base}.js`) && inModulePackage(path.dirname(base));
  if (isFile(`${base}.js`) && !asModule) return require(`${base}.js`);
  if (asModule) return importFile(`${base}.js`);
  if (isFile(`${base}.mjs`)) return importFile(`${base}.mjs`);
  if (isFile(`${base}.cjs`)) return require(`${base}.cjs`);
  return otherwise();
}

function isFile(name) {
  return fs.statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

// inModulePackage reports whether the nearest package.json says that .js files
// are ES modules.
function inModulePackage(folder) {
  for (; path.basename(folder) !== 'node_modules'; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (isFile(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8'))?.type === 'module';
      } catch (error) {
        console.warn(`${file} cannot be read and says nothing of ES modules:`, error.message);
        return false;
      }
    }
    if (folder === path.dirname(folder)) break;
  }
  return false;
}

async function importFile(file) {
  // Hooks cost a thread on older versions, so they are set up where something
  // is to be found through them: layers, or an SDK that the machine has.
  const places = (process.env.NODE_PATH ?? '').split(path.delimiter).filter((p) => p && p !== process.env.LAMBDA_TASK_ROOT);
  if (places.length > 0) {
    const hooks = new URL('./resolve.mjs', import.meta.url);
    if (module.registerHooks) module.registerHooks({ resolve: (await import(hooks)).resolveNow });
    else if (module.register) module.register(hooks);
  }
  return import(pathToFileURL(file));
}

// because shows the stack of the error in the user's code.
function because(error, cause) {
  error.stack = `${error.name}: ${cause.stack}`;
  return error;
}

// suggest says what to do about the one package that Lambda has and a machine
// has not.
function suggest(error) {
  const [, name] = /'((?:@aws-sdk\/|@smithy\/|aws-sdk(?=['/]))[^']*)'/.exec(error.message) ?? [];
  if (name) {
    console.error(`${name} comes with Lambda's own Node.js and not with yours: run "npm install ${name}" in the function's folder.`);
  }
}
