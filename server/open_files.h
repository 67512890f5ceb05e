// How many files and sockets the process may have open.
#pragma once

#include <cstdint>

namespace millrace::server {

// Raises the limit to the highest that the system allows this process, and gives it. The usual 1024 (for
// programs that still call select) is too few for some hundred cameras, each with its sockets, and the log's
// and the index's files. Logs a warning where even the highest is low.
// Threads: before others are started.
std::uint64_t RaiseOpenFilesLimit();

}  // namespace millrace::server
