// The only way to napi.h and uv.h: everything else in the tree is free of Node.
#pragma once

// Throwing while an exception is pending (a getter of an argument threw) or while a worker is being
// terminated would otherwise be fatal for the process. The exception that is pending stays.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

#include <napi.h>
#include <uv.h>
