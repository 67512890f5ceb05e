// Commands for the cameras, as lines of text: the list stands in the help (options.cc).
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>
#include <string_view>

#include "samples/camera-sim/server.h"

namespace millrace::camera_sim {

// Carries one command out and says what came of it: "ok drop 2", "error …". Sets `quit` on "quit".
std::string RunCommand(Server& server, std::string_view line, bool& quit);

// "NAME[=VALUE][@CAMERA]" of the command line, as a command.
std::string FaultCommand(const std::string& option);

// Reads commands from standard input and answers on standard output until it closes. The server outlives the
// reading.
void ReadCommands(boost::asio::io_context& io, Server& server, bool until_stdin_closes);

}  // namespace millrace::camera_sim
