import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { editorSchemaText } from '../lib/config/app-settings';

/** Writes the schema that editors use for rejoin.yaml. A test checks that it is current. */
writeFileSync(join(__dirname, '..', 'lib', 'config', 'rejoin.schema.json'), editorSchemaText());
