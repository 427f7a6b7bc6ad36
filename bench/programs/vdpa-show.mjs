// @ts-check
// A round: both lists by iproute2's tool, as objects.
import { serve } from '../serve.mjs';
import { vdpaShow } from '../vdpa-tool.mjs';

await serve(() => Object.keys(vdpaShow('mgmtdev')).length + Object.keys(vdpaShow('dev')).length);
