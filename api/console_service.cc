#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

#include "api/http/handlers.h"
#include "api/web_routes.h"

namespace millrace::api {
namespace {

constexpr std::size_t kFileBytesMax = 32 * 1024 * 1024;

constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; img-src 'self' "
    "data: "
    "blob:; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";

constexpr std::string_view kNotBuiltPage =
    "<!doctype html><meta charset=utf-8><title>Millrace</title><h1>Millrace is running</h1>"
    "<p>The console is not built: run <code>scripts/build</code>, or say where it is with "
    "<code>console_dir</code> in "
    "the configuration. The HTTP API works all the same: <a href=\"/v1/cameras\">cameras</a>, "
    "<a href=\"/v1/streams\">streams</a>, <a href=\"/metrics\">metrics</a>.\n";

std::string_view ContentType(const std::filesystem::path& file) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kTypes{{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".jpg", "image/jpeg"},
      {".woff2", "font/woff2"},
      {".wasm", "application/wasm"},
      {".txt", "text/plain; charset=utf-8"},
  }};
  std::string extension = file.extension().string();
  for (const auto& [name, type] : kTypes) {
    if (extension == name) return type;
  }
  return "application/octet-stream";
}

// A path inside the console's directory. The target's dot segments are refused already (api/http/target.h);
// what is left are separators that were escaped, hidden files, and links that lead out.
std::optional<std::filesystem::path> Inside(const std::filesystem::path& directory,
                                            const std::string& relative) {
  if (relative.find('\\') != std::string::npos || relative.starts_with('/')) return std::nullopt;
  std::error_code ec;
  std::filesystem::path root = std::filesystem::canonical(directory, ec);
  if (ec) return std::nullopt;
  std::filesystem::path file = std::filesystem::canonical(root / relative, ec);
  if (ec || !std::filesystem::is_regular_file(file, ec)) return std::nullopt;
  auto [end, unused] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  if (end != root.end()) return std::nullopt;
  for (const auto& part : file.lexically_relative(root)) {
    if (part.string().starts_with('.')) return std::nullopt;
  }
  return file;
}

struct ConsoleFile {
  ResponseHead head;
  Bytes body;
};

void AddSafetyHeaders(Headers& headers) {
  headers.Add("Content-Security-Policy", std::string(kContentSecurityPolicy));
  headers.Add("X-Content-Type-Options", "nosniff");
  headers.Add("Referrer-Policy", "no-referrer");
  headers.Add("Cross-Origin-Opener-Policy", "same-origin");
}

Result<ConsoleFile> ReadConsoleFile(const std::filesystem::path& directory, const std::string& relative) {
  auto path = Inside(directory, relative);
  ConsoleFile file;
  AddSafetyHeaders(file.head.headers);
  if (!path) {
    if (relative != "index.html") {
      return Error{ErrorCode::kNotFound, "the console has no such file; it begins at /"};
    }
    file.head.headers.Add("Content-Type", "text/html; charset=utf-8");
    file.head.headers.Add("Cache-Control", "no-cache");
    file.body.assign(kNotBuiltPage.begin(), kNotBuiltPage.end());
    return file;
  }
  std::error_code ec;
  auto size = std::filesystem::file_size(*path, ec);
  if (ec || size > kFileBytesMax) return Error{ErrorCode::kIo, "cannot read " + path->string()};
  file.body.resize(size);
  std::ifstream in(*path, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(file.body.data()), static_cast<std::streamsize>(size))) {
    return Error{ErrorCode::kIo, "cannot read " + path->string()};
  }
  file.head.headers.Add("Content-Type", std::string(ContentType(*path)));
  // Names under assets/ carry a hash of what is in them: another content has another name.
  bool hashed = relative.starts_with("assets/");
  file.head.headers.Add("Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
  return file;
}

net::awaitable<void> SendFile(WorkerPool& pool, const std::filesystem::path& directory, std::string relative,
                              ResponseWriter& writer) {
  auto work = [&]() -> Result<ConsoleFile> { return ReadConsoleFile(directory, relative); };
  auto file = co_await pool.Run(work);
  if (!file) {
    co_await RespondError(writer, std::move(file).error());
    co_return;
  }
  SharedBytes body(std::move(file->body));
  (void)co_await writer.Respond(std::move(file->head), std::move(body));
}

}  // namespace

void AddConsoleRoutes(Router& router, WorkerPool& pool, std::filesystem::path directory) {
  for (const char* index : {"/", "/index.html"}) {
    router.Add("GET", index, [&pool, directory](Request&, ResponseWriter& writer) -> net::awaitable<void> {
      std::string name = "index.html";
      co_await SendFile(pool, directory, std::move(name), writer);
    });
  }
  router.Add("GET", "/assets/{path...}",
             [&pool, directory](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               std::string name = "assets/" + request.Parameter("path");
               co_await SendFile(pool, directory, std::move(name), writer);
             });
  // Browsers ask for it unasked; the page names its own icon.
  router.Add("GET", "/favicon.ico", [](Request&, ResponseWriter& writer) -> net::awaitable<void> {
    co_await RespondEmpty(writer, 204);
  });
}

}  // namespace millrace::api
