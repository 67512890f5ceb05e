// The subcommands of `millrace`. Each gives the exit code (server/exit_codes.h); all but serve, check and
// restore talk to a running server over HTTP.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/analyzer_choice.h"

namespace millrace::server {

struct EncryptionConfig;

struct ClientOptions {
  std::string endpoint = "http://127.0.0.1:4567";
  bool json = false;  // JSON on standard output instead of tables
};

struct ServeOptions {
  std::optional<std::filesystem::path> config;
  std::optional<std::filesystem::path> data_dir;
  std::optional<std::string> listen;
  std::optional<std::string> log_level;
  std::optional<std::string> log_format;
};
int RunServe(const ServeOptions& options);

struct CameraAddOptions {
  std::string name;
  std::string url;
  std::optional<std::string> stream;
  std::optional<std::string> username;
  std::optional<std::filesystem::path> password_file;
  bool ask_password = false;
  bool udp = false;
  bool no_tls_verify = false;
  std::optional<double> retention_hours;
  std::vector<std::string> labels;  // "key=value"
  std::vector<std::string> analyzers;
  bool disabled = false;
};
int RunCameraAdd(const ClientOptions& client, const CameraAddOptions& options);
int RunCameraList(const ClientOptions& client);
int RunCameraShow(const ClientOptions& client, const std::string& name);
int RunCameraRemove(const ClientOptions& client, const std::string& name, bool purge);
int RunCameraEnable(const ClientOptions& client, const std::string& name, bool enabled);

// The value is what standard input holds, without the line end.
int RunSecretSet(const ClientOptions& client, const std::string& name);
int RunSecretList(const ClientOptions& client);
int RunSecretRemove(const ClientOptions& client, const std::string& name);

int RunWebhookList(const ClientOptions& client);
int RunWebhookTest(const ClientOptions& client, const std::string& name);

struct CoverageOptions {
  std::string stream;
  std::optional<std::string> start;  // none: a day before the end
  std::optional<std::string> end;    // none: now
};
int RunStreamCoverage(const ClientOptions& client, const CoverageOptions& options);

struct DeleteFootageOptions {
  std::string stream;
  std::string start;
  std::string end;
  bool server_clock = false;  // else the producer's
};
int RunDeleteFootage(const ClientOptions& client, const DeleteFootageOptions& options);

struct PlaceHoldOptions {
  std::string stream;
  std::string id;
  std::string start;
  std::optional<std::string> end;  // none: open
  std::optional<std::string> reason;
};
int RunPlaceHold(const ClientOptions& client, const PlaceHoldOptions& options);
int RunListHolds(const ClientOptions& client, const std::string& stream);
int RunReleaseHold(const ClientOptions& client, const std::string& stream, const std::string& id);

struct TailOptions {
  std::string stream;
  std::size_t last = 5;              // fragments shown before the new ones
  std::optional<std::size_t> count;  // ends after so many lines
  bool faces = false;                // with a line for each analysed frame that shows any
};
int RunTail(const ClientOptions& client, const TailOptions& options);

struct ExportOptions {
  std::string stream;
  std::string start;
  std::optional<std::string> end;
  std::filesystem::path output;
  std::optional<std::string> format;  // none: by the output's ending
  bool split = false;                 // one file for each stretch whose tracks keep their parameters
};
int RunExport(const ClientOptions& client, const ExportOptions& options);

struct AnalyzeOptions {
  AnalyzerChoice choice;
  std::vector<std::string> streams;
  std::optional<std::string> application;  // none: "millrace-<analyzer>"
  std::optional<std::string> output;       // none: likewise
  std::optional<std::string> owner;
  std::string start = "LATEST";
  std::string when_behind = "catch-up";  // or "skip"
  double skip_after_s = 10;
  double frame_max_s = 60;
  std::optional<std::string> model;
  std::optional<double> smallest_face;
  bool supervised = false;  // streams come by standard input, and its end ends the process
};
int RunAnalyze(const ClientOptions& client, const AnalyzeOptions& options);

struct FacesListOptions {
  std::string stream;
  std::optional<std::string> start;
  std::optional<std::string> end;
};
int RunFacesList(const ClientOptions& client, const FacesListOptions& options);
int RunStorage(const ClientOptions& client);
int RunBackup(const ClientOptions& client, const std::filesystem::path& output);
int RunRestore(const std::filesystem::path& backup, const std::filesystem::path& data_dir, bool json);

// `keys`: to open what is encrypted, too.
int RunCheck(const std::optional<std::filesystem::path>& data_dir, const EncryptionConfig& keys, bool repair,
             bool json);

}  // namespace millrace::server
