// The only way to napi.h and uv.h: everything else in the tree is free of Node.
#pragma once

// Throwing while a worker is being terminated would otherwise be fatal for the whole process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

#include <napi.h>
#include <uv.h>
