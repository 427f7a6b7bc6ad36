// The only way to napi.h and uv.h: everything else in the tree is free of Node.
#pragma once

#include <napi.h>
#include <uv.h>
