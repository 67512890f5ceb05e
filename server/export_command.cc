#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

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

// What a file of the export was made of.
struct Exported {
  std::filesystem::path file;
  std::uint64_t bytes = 0;
};

// The file has its name only when it is whole. It is made with the first bytes: an error of the server leaves
// nothing.
Result<Exported> DownloadTo(ApiClient& api, const std::string& target, const std::filesystem::path& output) {
  std::filesystem::path part = output;
  part += ".part";
  std::unique_ptr<std::FILE, FileClose> file;
  Exported exported{output};
  auto sink = [&](ByteSpan piece) -> Result<void> {
    if (!file) file.reset(std::fopen(part.c_str(), "wb"));
    if (!file || std::fwrite(piece.data(), 1, piece.size(), file.get()) != piece.size())
      return FileError(part);
    exported.bytes += piece.size();
    return {};
  };
  auto done = api.Download(target, sink);
  if (done && exported.bytes == 0) done = Error{ErrorCode::kInternal, "the server sent an empty file"};
  if (done && (std::fflush(file.get()) != 0 || ::fsync(::fileno(file.get())) != 0)) done = FileError(part);
  const bool made = file != nullptr;
  file.reset();
  if (done && std::rename(part.c_str(), output.c_str()) != 0) done = FileError(output);
  if (!done && made) std::remove(part.c_str());
  if (!done) return std::move(done).error();
  return exported;
}

// "door.mp4" -> "door-2.mp4"
std::filesystem::path Numbered(const std::filesystem::path& path, std::size_t number) {
  std::filesystem::path name = path.stem();
  name += "-" + std::to_string(number);
  name += path.extension();
  return path.parent_path() / name;
}

// One file for each stretch in which the tracks keep their parameters; one of the plain name where that is
// all of the range.
Result<std::vector<Exported>> ExportStretches(ApiClient& api, const ExportOptions& options,
                                              const std::string& format) {
  const std::string path = VideoStreamPath(options.stream) + "/export";
  std::string query = "start=" + api::PercentEncode(options.start);
  if (options.end) query += "&end=" + api::PercentEncode(*options.end);
  MILLRACE_ASSIGN_OR_RETURN(const boost::json::object answer, api.Call("GET", path + "/stretches?" + query));
  std::vector<Exported> all;
  try {
    const auto text = [](const boost::json::value& value) { return std::string(value.as_string().c_str()); };
    const boost::json::array& stretches = answer.at("stretches").as_array();
    const std::string range = "?format=" + api::PercentEncode(format) +
                              "&start=" + api::PercentEncode(text(answer.at("start"))) +
                              "&end=" + api::PercentEncode(text(answer.at("end"))) + "&stretch=";
    for (std::size_t i = 0; i < stretches.size(); ++i) {
      const auto output = stretches.size() == 1 ? options.output : Numbered(options.output, i + 1);
      auto one = DownloadTo(api, path + range + text(stretches[i].at("stretch")), output);
      if (!one) {
        return WithContext(std::move(one).error(),
                           "the stretch from " + text(stretches[i].at("start")) + " on");
      }
      all.push_back(std::move(*one));
    }
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInternal, std::string("the server's answer cannot be read: ") + error.what()};
  }
  return all;
}

Result<std::vector<Exported>> Export(ApiClient& api, const ExportOptions& options) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string format, FormatOf(options));
  if (options.split) return ExportStretches(api, options, format);
  std::string target = VideoStreamPath(options.stream) + "/export?format=" + api::PercentEncode(format) +
                       "&start=" + api::PercentEncode(options.start);
  if (options.end) target += "&end=" + api::PercentEncode(*options.end);
  auto done = DownloadTo(api, target, options.output);
  if (done) return std::vector<Exported>{std::move(*done)};
  Error error = std::move(done).error();
  if (error.code == ErrorCode::kFailedPrecondition) error.message += " (--split does that)";
  return error;
}

}  // namespace

int RunExport(const ClientOptions& client, const ExportOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto exported = Export(*api, options);
  if (!exported) return api->Fail(Explain(*api, options.stream, exported.error()));
  boost::json::array files;
  for (const Exported& one : *exported) {
    if (!client.json) {
      std::printf("%s: %s\n", one.file.c_str(), HumanBytes(static_cast<double>(one.bytes)).c_str());
      continue;
    }
    boost::json::object file;
    file["file"] = one.file.string();
    file["bytes"] = one.bytes;
    files.push_back(std::move(file));
  }
  if (client.json && options.split) {
    boost::json::object answer;
    answer["files"] = std::move(files);
    PrintJson(answer);
  } else if (client.json) {
    PrintJson(files.front().as_object());
  }
  return kExitOk;
}

}  // namespace millrace::server
