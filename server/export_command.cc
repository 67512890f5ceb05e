#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "api/http/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

struct FileClose {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Error FileError(const std::filesystem::path& path) {
  return Error{ErrorCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno)};
}

Result<std::string> FormatOf(const ExportOptions& options) {
  if (options.format) return *options.format;
  std::string ending = options.output.extension().string();
  if (ending == ".mp4" || ending == ".mkv") return ending.substr(1);
  return Error{ErrorCode::kInvalidArgument, "name the output *.mp4 or *.mkv, or give --format"};
}

// What was not found: the stream, or footage in it.
Error Explain(ApiClient& api, const std::string& stream, const Error& error) {
  if (error.code != ErrorCode::kNotFound && error.code != ErrorCode::kOutOfRange) return error;
  if (api.Call("GET", VideoStreamPath(stream))) {
    return Error{error.code, error.message + ": millrace stream coverage " + stream + " shows what there is"};
  }
  return ExplainNoVideoStream(api, stream, error, "millrace stream get " + stream + " --raw");
}

}  // namespace

int RunExport(const ClientOptions& client, const ExportOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto format = FormatOf(options);
  if (!format) return Complain(format.error());
  std::string target = VideoStreamPath(options.stream) + "/export?format=" + api::PercentEncode(*format) +
                       "&start=" + api::PercentEncode(options.start);
  if (options.end) target += "&end=" + api::PercentEncode(*options.end);

  // The file has its name only when it is whole. It is made with the first bytes: an error of the server
  // leaves nothing.
  std::filesystem::path part = options.output;
  part += ".part";
  std::unique_ptr<std::FILE, FileClose> file;
  std::uint64_t bytes = 0;
  auto sink = [&](ByteSpan piece) -> Result<void> {
    if (!file) file.reset(std::fopen(part.c_str(), "wb"));
    if (!file || std::fwrite(piece.data(), 1, piece.size(), file.get()) != piece.size())
      return FileError(part);
    bytes += piece.size();
    return {};
  };
  auto done = api->Download(target, sink);
  if (done && bytes == 0) done = Error{ErrorCode::kInternal, "the server sent an empty file"};
  if (done && (std::fflush(file.get()) != 0 || ::fsync(::fileno(file.get())) != 0)) done = FileError(part);
  bool made = file != nullptr;
  file.reset();
  if (done && std::rename(part.c_str(), options.output.c_str()) != 0) done = FileError(options.output);
  if (!done) {
    if (made) std::remove(part.c_str());
    return api->Fail(Explain(*api, options.stream, done.error()));
  }
  if (client.json) {
    boost::json::object answer;
    answer["file"] = options.output.string();
    answer["bytes"] = bytes;
    PrintJson(answer);
  } else {
    std::printf("%s: %s\n", options.output.c_str(), HumanBytes(static_cast<double>(bytes)).c_str());
  }
  return kExitOk;
}

}  // namespace millrace::server
