// What a program was started with.
#pragma once

namespace vdpa {

/// Closes every descriptor but the standard three: nothing of the caller's may live on in a process
/// that outlives it, no descriptor and so no lock.
void CloseInheritedDescriptors();

}  // namespace vdpa
