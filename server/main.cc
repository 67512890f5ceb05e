// `millrace`: the command line. Everything that a command does stands in its own file; here is what it is
// called.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>

#include "server/commands.h"
#include "server/encryption.h"
#include "server/events_command.h"
#include "server/exit_codes.h"
#include "server/faces_commands.h"
#include "server/replay_command.h"
#include "server/stream_command_line.h"
#include "server/user_commands.h"
#include "server/version.h"

namespace millrace::server {
namespace {

constexpr const char* kFooter =
    "\nEnvironment:\n"
    "  MILLRACE_ENDPOINT         the server that commands talk to (default http://127.0.0.1:4567)\n"
    "  MILLRACE_CA_FILE          the certificates to trust at an https endpoint (PEM), in place of the "
    "system's\n"
    "  MILLRACE_DATA_DIR         where footage is kept\n"
    "  MILLRACE_ACCESS_KEY_ID, MILLRACE_SECRET_ACCESS_KEY\n"
    "                            the key that commands sign with (also AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY)\n"
    "  MILLRACE_CAMERA_PASSWORD  a camera's password for `camera add --username`\n"
    "\nExit codes:\n"
    "  0 done   1 failed   2 wrong usage, configuration or request   3 not found   4 no server answers\n"
    "  5 conflict (in use, not in this state)\n"
    "\nExamples:\n"
    "  millrace serve\n"
    "  millrace camera add door rtsp://10.0.0.9/stream --username admin --ask-password\n"
    "  millrace export door --start 2026-11-21T14:00:00Z --end 2026-11-21T14:05:00Z -o door.mp4\n";

// The parsed command line: options, and what to run with them.
struct CommandLine {
  ClientOptions client;
  ServeOptions serve;
  CameraAddOptions camera_add;
  std::string name;
  bool purge = false;
  TailOptions tail;
  ExportOptions export_options;
  AnalyzeOptions analyze;
  std::optional<std::filesystem::path> check_data_dir;
  bool check_repair = false;
  EncryptionConfig check_keys;
  std::filesystem::path backup_file;
  std::filesystem::path restore_data_dir;
  std::function<int()> run;
};

void AddJson(CLI::App* command, CommandLine& line) {
  command->add_flag("--json", line.client.json, "Print JSON, for machines");
}

void AddServe(CLI::App& app, CommandLine& line) {
  auto* serve = app.add_subcommand("serve", "Record cameras and serve their footage");
  serve->add_option("--config", line.serve.config, "Configuration file (docs/configuration.md)")
      ->type_name("FILE");
  serve
      ->add_option(
          "--data-dir", line.serve.data_dir,
          "Where footage is kept (default: $MILLRACE_DATA_DIR, else /var/lib/millrace for root, else "
          "~/.local/share/millrace)")
      ->type_name("DIR");
  serve
      ->add_option("--listen", line.serve.listen,
                   "Address to listen on (default 127.0.0.1:4567; port 0: any free)")
      ->type_name("HOST:PORT");
  serve->add_option("--log-level", line.serve.log_level, "debug, info (default), warning or error")
      ->type_name("LEVEL");
  serve->add_option("--log-format", line.serve.log_format, "text (default) or json")->type_name("FORMAT");
  serve->footer(
      "\nSIGTERM or SIGINT stops it: open fragments are stored first. A second one ends it at once.\n"
      "\nExamples:\n"
      "  millrace serve\n"
      "  millrace serve --config /etc/millrace/millrace.yaml\n"
      "  millrace serve --data-dir /srv/footage --listen 127.0.0.1:8080\n");
  serve->callback([&line] { line.run = [&line] { return RunServe(line.serve); }; });
}

void AddCameraAdd(CLI::App* camera, CommandLine& line) {
  auto& options = line.camera_add;
  auto* add = camera->add_subcommand("add", "Add a camera, or replace its settings");
  add->add_option("NAME", options.name, "Letters, digits, '_', '.', '-'")->required();
  add->add_option("URL", options.url, "rtsp://HOST[:PORT]/PATH or rtsps://…")->required();
  add->add_option("--stream", options.stream, "The stream to record into (default: the camera's name)");
  add->add_option("--username", options.username, "User at the camera; empty: forget user and password");
  add->add_option("--password-file", options.password_file, "Take the password from the file's first line")
      ->type_name("FILE");
  add->add_flag("--ask-password", options.ask_password, "Ask for the password on the terminal");
  add->add_flag("--udp", options.udp, "RTP over UDP rather than over the RTSP connection");
  add->add_flag("--no-tls-verify", options.no_tls_verify,
                "rtsps: take any certificate (most cameras sign their own)");
  add->add_option("--retention-hours", options.retention_hours, "How long footage is kept (default 168)")
      ->type_name("HOURS");
  add->add_option("--label", options.labels, "A label; may be given several times")->type_name("KEY=VALUE");
  add->add_option("--analyzer", options.analyzers,
                  "Analyse the footage: faces, motion, tamper, …; may be given several times")
      ->type_name("NAME");
  add->add_flag("--disabled", options.disabled, "Do not connect it yet");
  AddJson(add, line);
  add->footer(
      "\nThe password never stands on the command line: use --ask-password, --password-file, or set "
      "MILLRACE_CAMERA_PASSWORD.\n"
      "\nExamples:\n"
      "  millrace camera add door rtsp://10.0.0.9/stream1\n"
      "  millrace camera add yard rtsp://10.0.0.10:554/live --username admin --ask-password "
      "--retention-hours 720\n"
      "  millrace camera add dock rtsp://10.0.0.11/h264 --username viewer --password-file dock.password "
      "--udp\n");
  add->callback([&line] { line.run = [&line] { return RunCameraAdd(line.client, line.camera_add); }; });
}

// A command on one named thing.
CLI::App* AddNamed(CLI::App* parent, CommandLine& line, const std::string& verb, const std::string& help,
                   const std::string& example, std::function<int()> run) {
  auto* command = parent->add_subcommand(verb, help);
  command->add_option("NAME", line.name, "Its name")->required();
  AddJson(command, line);
  command->footer("\nExample:\n  " + example + "\n");
  command->callback([&line, run = std::move(run)] { line.run = run; });
  return command;
}

void AddCamera(CLI::App& app, CommandLine& line) {
  auto* camera = app.add_subcommand("camera", "Cameras of a running server");
  camera->require_subcommand(1);
  AddCameraAdd(camera, line);
  auto* list = camera->add_subcommand("list", "All cameras and their states");
  AddJson(list, line);
  list->footer("\nExamples:\n  millrace camera list\n  millrace camera list --json\n");
  list->callback([&line] { line.run = [&line] { return RunCameraList(line.client); }; });
  AddNamed(camera, line, "show", "One camera in full", "millrace camera show door",
           [&line] { return RunCameraShow(line.client, line.name); });
  auto* remove =
      AddNamed(camera, line, "remove", "Remove a camera; its footage is kept until its retention is over",
               "millrace camera remove door --purge",
               [&line] { return RunCameraRemove(line.client, line.name, line.purge); });
  remove->add_flag("--purge", line.purge, "Delete its footage, at once");
  AddNamed(camera, line, "enable", "Connect a disabled camera again", "millrace camera enable door",
           [&line] { return RunCameraEnable(line.client, line.name, true); });
  AddNamed(camera, line, "disable", "Stop recording a camera, and keep it", "millrace camera disable door",
           [&line] { return RunCameraEnable(line.client, line.name, false); });
}

void AddSecret(CLI::App& app, CommandLine& line) {
  auto* secret =
      app.add_subcommand("secret", "Named secrets of a running server, such as cameras' addresses");
  secret->require_subcommand(1);
  AddNamed(secret, line, "set", "Keep standard input as a secret, sealed; nothing shows it again",
           "millrace secret set door < door.url", [&line] { return RunSecretSet(line.client, line.name); });
  auto* list = secret->add_subcommand("list", "All secrets by name, and not what they hold");
  AddJson(list, line);
  list->footer("\nExamples:\n  millrace secret list\n  millrace secret list --json\n");
  list->callback([&line] { line.run = [&line] { return RunSecretList(line.client); }; });
  AddNamed(secret, line, "remove", "Forget a secret", "millrace secret remove door",
           [&line] { return RunSecretRemove(line.client, line.name); });
}

void AddWebhook(CLI::App& app, CommandLine& line) {
  auto* webhook = app.add_subcommand("webhook", "Where a running server sends the events of analyzers");
  webhook->require_subcommand(1);
  auto* list = webhook->add_subcommand("list", "Each webhook of the configuration, and how it is");
  AddJson(list, line);
  list->footer("\nExamples:\n  millrace webhook list\n  millrace webhook list --json\n");
  list->callback([&line] { line.run = [&line] { return RunWebhookList(line.client); }; });
  AddNamed(webhook, line, "test", "Send a message of type Test, once, and say what came back",
           "millrace webhook test door-alarm", [&line] { return RunWebhookTest(line.client, line.name); });
}

void AddTail(CLI::App& app, CommandLine& line) {
  auto* tail = app.add_subcommand("tail", "Follow a stream: a line for each fragment that is stored");
  tail->add_option("STREAM", line.tail.stream, "The stream's name")->required();
  tail->add_option("-n,--last", line.tail.last, "Begin with this many that are there (default 5)")
      ->check(CLI::Range(0, 1000));
  tail->add_flag("--faces", line.tail.faces, "With a line for each frame in which faces were found");
  tail->add_option("--count", line.tail.count, "End after this many lines")
      ->check(CLI::Range(1, 1'000'000'000));
  AddJson(tail, line);
  tail->footer(
      "\nExamples:\n  millrace tail door\n  millrace tail door --faces\n  millrace tail door --json --count "
      "10\n");
  tail->callback([&line] { line.run = [&line] { return RunTail(line.client, line.tail); }; });
}

void AddExport(CLI::App& app, CommandLine& line) {
  auto& options = line.export_options;
  auto* command = app.add_subcommand("export", "Write a range of a stream to a file, frames untouched");
  command->add_option("STREAM", options.stream, "The stream's name")->required();
  command->add_option("--start", options.start, "2026-11-21T14:00:00Z, with an offset, or seconds since 1970")
      ->required()
      ->type_name("TIME");
  command->add_option("--end", options.end, "Likewise (default: now)")->type_name("TIME");
  command->add_option("-o,--output", options.output, "The file: *.mp4 or *.mkv")
      ->required()
      ->type_name("FILE");
  command->add_option("--format", options.format, "mp4 or mkv, where the file's name does not say")
      ->check(CLI::IsMember({"mp4", "mkv"}));
  command->add_flag("--split", options.split,
                    "Where resolution or codec change: one file after the other, NAME-1.mp4, NAME-2.mp4 …");
  AddJson(command, line);
  command->footer(
      "\nThe file begins with the key frame at or before the start. MP4 holds H.264, H.265, VP9, AV1, AAC,\n"
      "Opus, and G.711 made AAC; MKV holds these, VP8, and G.711 as it is.\n"
      "\nExamples:\n"
      "  millrace export door --start 2026-11-21T14:00:00Z --end 2026-11-21T14:05:00Z -o door.mp4\n"
      "  millrace export door --start 2026-11-21T15:00:00+01:00 -o door.mkv\n"
      "  millrace export door --start 2026-11-21T00:00:00Z -o door.mp4 --split\n");
  command->callback([&line] { line.run = [&line] { return RunExport(line.client, line.export_options); }; });
}

void AddAnalyze(CLI::App& app, CommandLine& line) {
  auto& options = line.analyze;
  auto* command =
      app.add_subcommand("analyze", "Show a stream's frames to an analyzer, and keep what it finds");
  AddAnalyzerChoice(*command, options.choice);
  command->add_option("--streams", options.streams, "The streams, with commas between")
      ->delimiter(',')
      ->type_name("A,B");
  command
      ->add_option("--application", options.application,
                   "Workers of one application share the work and how far it is (default: millrace-ANALYZER)")
      ->type_name("NAME");
  command
      ->add_option("--output", options.output, "The data stream of the results (default: millrace-ANALYZER)")
      ->type_name("STREAM");
  command
      ->add_option("--start", options.start,
                   "Where a new application begins: LATEST (default), TRIM_HORIZON or a time")
      ->type_name("WHERE");
  command
      ->add_option("--when-behind", options.when_behind,
                   "catch-up (default): every fragment, however late; skip: newer footage first")
      ->check(CLI::IsMember({"catch-up", "skip"}));
  command->add_option("--skip-after", options.skip_after_s, "With skip: how far back is behind (default 10)")
      ->check(CLI::Range(1.0, 86'400.0))
      ->type_name("SECONDS");
  command->add_option("--frame-max", options.frame_max_s, "Longer with one frame is a hang (default 60)")
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("SECONDS");
  command->add_option("--model", options.model, "faces: a YuNet model (ONNX) rather than OpenCV's cascades")
      ->type_name("FILE");
  command
      ->add_option("--smallest-face", options.smallest_face,
                   "faces: the smallest to find, as a part of the picture's height (default 0.1)")
      ->check(CLI::Range(0.02, 1.0));
  command->add_option("--owner", options.owner, "This worker's name")->type_name("NAME");
  command->add_flag("--supervised", options.supervised)->group("");
  command->footer(
      "\nThe server runs this for cameras with \"analyzers\": [\"faces\"]. By hand it works on any machine.\n"
      "\nExamples:\n"
      "  millrace analyze --streams door,yard\n"
      "  millrace analyze --streams door --application again --start 2026-11-21T14:00:00Z --frames "
      "per-second:2\n"
      "  millrace analyze --plugin ./libplates.so --options '{\"country\":\"it\"}' --streams gate\n");
  command->callback([&line] { line.run = [&line] { return RunAnalyze(line.client, line.analyze); }; });
}

void AddStorage(CLI::App& app, CommandLine& line) {
  auto* storage = app.add_subcommand("storage", "How full the disk is, and how far back footage will reach");
  AddJson(storage, line);
  storage->footer("\nExamples:\n  millrace storage\n  millrace storage --json\n");
  storage->callback([&line] { line.run = [&line] { return RunStorage(line.client); }; });
}

void AddBackup(CLI::App& app, CommandLine& line) {
  auto* backup = app.add_subcommand("backup", "Write a running server's metadata to a file");
  backup->add_option("-o,--output", line.backup_file, "The file; replaced where it is there")
      ->required()
      ->type_name("FILE");
  AddJson(backup, line);
  backup->footer(
      "\nCameras, streams, retention, checkpoints and leases, of one moment; no footage. Keep the data "
      "directory's secrets.key with it, but apart: without it the cameras' passwords have to be set again.\n"
      "\nExample:\n  millrace backup -o millrace-metadata.backup\n");
  backup->callback([&line] { line.run = [&line] { return RunBackup(line.client, line.backup_file); }; });
  auto* restore = app.add_subcommand("restore", "Make a new data directory from a backup");
  restore->add_option("FILE", line.backup_file, "What `millrace backup` wrote")->required();
  restore->add_option("--data-dir", line.restore_data_dir, "The new directory: not there yet, or empty")
      ->required()
      ->type_name("DIR");
  AddJson(restore, line);
  restore->footer("\nExample:\n  millrace restore millrace-metadata.backup --data-dir /srv/footage\n");
  restore->callback([&line] {
    line.run = [&line] { return RunRestore(line.backup_file, line.restore_data_dir, line.client.json); };
  });
}

void AddCheck(CLI::App& app, CommandLine& line) {
  auto* check = app.add_subcommand("check", "Verify a data directory: everything is there and undamaged");
  check->add_option("--data-dir", line.check_data_dir, "The directory (default: as `millrace serve`)")
      ->type_name("DIR");
  check->add_flag("--repair", line.check_repair, "Mend what is damaged, and say what is lost");
  auto* key_file = check->add_option("--master-key-file", line.check_keys.master_key_file,
                                     "Also open what is encrypted, with this key; else checksums only");
  check
      ->add_option("--master-key-env", line.check_keys.master_key_env,
                   "Likewise, with the key in this variable")
      ->excludes(key_file);
  AddJson(check, line);
  check->footer(
      "\nThe server must not be running on it. Without --repair nothing is changed. Exit code 0: sound (with "
      "--repair: it is now); 1: damage was found. Damaged files are kept in the directory's 'damaged'.\n"
      "\nExamples:\n  millrace check\n  millrace check --data-dir /srv/footage --json\n"
      "  millrace check --data-dir /srv/footage --repair\n");
  check->callback([&line] {
    line.run = [&line] {
      return RunCheck(line.check_data_dir, line.check_keys, line.check_repair, line.client.json);
    };
  });
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("Millrace: cameras into durable, replayable streams", "millrace");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", std::string("millrace ") + kVersion);
  app.add_option("--endpoint", line.client.endpoint, "The server that commands talk to")
      ->envname("MILLRACE_ENDPOINT")
      ->capture_default_str()
      ->type_name("URL");
  AddServe(app, line);
  AddCamera(app, line);
  AddSecret(app, line);
  AddWebhook(app, line);
  AddStreamCommands(app, line.client, line.run);
  AddTail(app, line);
  AddExport(app, line);
  AddAnalyze(app, line);
  AddReplayCommand(app, line.client, line.run);
  AddFacesCommands(app, line.client, line.run);
  AddEventsCommand(app, line.client, line.run);
  AddStorage(app, line);
  AddBackup(app, line);
  AddCheck(app, line);
  AddUserCommands(app, line.client, line.run);
  auto* version = app.add_subcommand("version", "Print the version");
  AddJson(version, line);
  version->footer("\nExample:\n  millrace version\n");
  version->callback([&line] {
    line.run = [&line] {
      std::printf(line.client.json ? "{\"version\":\"%s\"}\n" : "millrace %s\n", kVersion);
      return static_cast<int>(kExitOk);
    };
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 would only say that a subcommand is missing.
    const CLI::App* last = &app;
    std::string name = "millrace";
    while (!last->get_subcommands().empty()) {
      last = last->get_subcommands().front();
      name += " " + last->get_name();
    }
    if (auto words = app.remaining(true); !words.empty() && last->get_require_subcommand_min() > 0) {
      std::fprintf(stderr, "millrace: '%s' is not a command or option of %s; %s --help lists them\n",
                   words[0].c_str(), name.c_str(), name.c_str());
      return kExitUsage;
    }
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  // What a command loads, such as an analyzer that reads a collection, finds the same server by it.
  ::setenv("MILLRACE_ENDPOINT", line.client.endpoint.c_str(), 1);
  return line.run();
}

}  // namespace
}  // namespace millrace::server

int main(int argc, char** argv) {
  try {
    return millrace::server::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "millrace: %s\n", e.what());
    return millrace::server::kExitFailed;
  }
}
