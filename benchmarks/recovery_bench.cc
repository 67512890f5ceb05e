// How long a log takes to open by its size, and what retention and the disk budget write at steady state.
//
//   recovery   1, 10 and 50 GB of sealed segments and one that is open: opened after a clean stop, and after
//              a crash of the process (which loses what the index had not flushed). The records' data are
//              holes on the disk: recovery reads heads only. Floor: walking the heads of one open segment.
//   retention  fragments come in and the oldest go, by retention and by budget: bytes written to segments for
//              each byte that was put, once it is steady. 1 is the floor: nothing is written again.
//
//   recovery_bench [--json FILE] [--dir DIR] [--gb 1,10,50]
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "base/log.h"
#include "storage/embedded_log.h"
#include "storage/storage_metrics.h"

namespace {

using namespace millrace;
using namespace millrace::storage;

constexpr std::uint64_t kGB = 1'000'000'000;
constexpr std::size_t kFragmentBytes = 500'000;  // a second at 4 Mbit/s

double Since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

[[noreturn]] void Die(const std::string& text) {
  std::fprintf(stderr, "recovery_bench: %s\n", text.c_str());
  std::exit(1);
}

// Data of zeros whose blocks are given back once they are written: sparse segments, valid to the last byte.
class SparseFile final : public File {
 public:
  explicit SparseFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Result<void> WriteAt(std::uint64_t offset, std::span<const ByteSpan> parts) override {
    for (ByteSpan part : parts) {
      if (part.size() < kFragmentBytes) {
        MILLRACE_RETURN_IF_ERROR(file_->WriteAt(offset, std::span(&part, 1)));
      } else {
        const std::uint8_t zero = 0;
        const ByteSpan last(&zero, 1);
        MILLRACE_RETURN_IF_ERROR(file_->WriteAt(offset + part.size() - 1, std::span(&last, 1)));
      }
      offset += part.size();
    }
    return {};
  }
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) override {
    return file_->ReadAt(offset, out);
  }
  Result<void> Sync() override { return {}; }
  Result<void> Truncate(std::uint64_t size) override { return file_->Truncate(size); }
  Result<void> PunchHole(std::uint64_t offset, std::uint64_t length) override {
    return file_->PunchHole(offset, length);
  }
  Result<void> Allocate(std::uint64_t size) override { return file_->Allocate(size); }
  Result<std::uint64_t> Size() override { return file_->Size(); }
  Result<std::uint64_t> AllocatedBytes() override { return file_->AllocatedBytes(); }

 private:
  std::unique_ptr<File> file_;
};

class SparseFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    MILLRACE_ASSIGN_OR_RETURN(auto file, real_.Open(path, mode));
    if (!path.ends_with(".log")) return file;
    return std::unique_ptr<File>(std::make_unique<SparseFile>(std::move(file)));
  }
  Result<void> CreateDirectory(const std::string& path) override { return real_.CreateDirectory(path); }
  Result<void> SyncDirectory(const std::string&) override { return {}; }
  Result<void> Remove(const std::string& path) override { return real_.Remove(path); }
  Result<void> RemoveDirectory(const std::string& path) override { return real_.RemoveDirectory(path); }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    return real_.Rename(from, to);
  }
  Result<std::vector<DirectoryEntry>> List(const std::string& path) override { return real_.List(path); }
  Result<bool> Exists(const std::string& path) override { return real_.Exists(path); }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return real_.Lock(path); }
  Result<DiskSpace> Space(const std::string& path) override { return real_.Space(path); }

 private:
  FileSystem& real_ = PosixFileSystem();
};

PutRecord Fragment(std::uint64_t n, const SharedBytes& data) {
  PutRecord record;
  record.partition_key = "camera-" + std::to_string(n % 50);
  for (AttributeId id = 1; id <= 3; ++id) {
    Bytes value;
    AppendBigEndian(value, n);
    record.attributes.push_back({id, std::move(value)});
  }
  record.attributes.push_back({16, Bytes(200)});  // the facts
  record.data = data;
  return record;
}

EmbeddedLogOptions Options(const std::string& path, FileSystem& files) {
  EmbeddedLogOptions options;
  options.path = path;
  options.files = &files;
  options.reserve_bytes = 0;
  options.sweep_interval = options.budget_interval = std::chrono::hours(1);
  return options;
}

std::unique_ptr<EmbeddedLog> OpenLog(const EmbeddedLogOptions& options) {
  auto log = EmbeddedLog::Open(options);
  if (!log) Die(log.error().ToString());
  return std::move(*log);
}

void PutAll(EmbeddedLog& log, std::uint64_t first, std::uint64_t count, const SharedBytes& data) {
  for (std::uint64_t n = first; n < first + count;) {
    std::vector<PutRecord> records;
    for (int i = 0; i < 16 && n < first + count; ++i, ++n) records.push_back(Fragment(n, data));
    std::promise<void> done;
    log.PutMany("s", std::move(records), [&](std::vector<Result<PutReceipt>> results) {
      for (const auto& result : results) {
        if (!result) Die(result.error().ToString());
      }
      done.set_value();
    });
    done.get_future().wait();
  }
}

struct Recovery {
  std::uint64_t gb = 0;
  std::uint64_t records = 0;
  double clean_s = 0;
  double crash_s = 0;
};

[[noreturn]] void Fill(const std::string& path, std::uint64_t gb) {
  SparseFiles sparse;
  const SharedBytes data{Bytes(kFragmentBytes)};
  auto log = OpenLog(Options(path, sparse));
  if (auto made = log->CreateStream("s", 4, std::chrono::hours(24)); !made) Die(made.error().ToString());
  PutAll(*log, 0, gb * kGB / kFragmentBytes, data);
  ::_exit(0);
}

Recovery MeasureRecovery(const std::string& path, std::uint64_t gb) {
  SparseFiles sparse;
  Recovery recovery;
  recovery.gb = gb;
  recovery.records = gb * kGB / kFragmentBytes;
  // In a process of its own, so that it can end without closing anything.
  const std::string size = std::to_string(gb);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "recovery_bench", "--fill", path.c_str(), "--gb", size.c_str(), nullptr);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) Die("filling the log failed");
  for (double* seconds : {&recovery.crash_s, &recovery.clean_s}) {
    auto start = std::chrono::steady_clock::now();
    auto log = OpenLog(Options(path, sparse));
    *seconds = Since(start);
    auto stream = log->DescribeStream("s");
    if (!stream) Die(stream.error().ToString());
  }
  return recovery;
}

// Bytes written to segments for each that is put, at steady state.
double MeasureRewriting(const std::string& path, bool by_budget) {
  ManualClock clock(Timestamp::FromSeconds(1'750'000'000));
  auto options = Options(path, PosixFileSystem());
  options.clock = &clock;
  options.segment_bytes = 16u << 20;
  if (by_budget) options.budget.used_bytes_max = 300u << 20;
  auto log = OpenLog(options);
  if (auto made = log->CreateStream("s", 1, std::chrono::minutes(by_budget ? 1000 : 8)); !made) {
    Die(made.error().ToString());
  }
  const SharedBytes data{Bytes(kFragmentBytes)};
  StorageMetrics metrics;
  double written = 0;
  double put = 0;
  for (int minute = 0; minute < 40; ++minute) {
    if (minute == 20) {
      written = metrics.written_bytes.Value();
      put = metrics.put_bytes.Value();
    }
    PutAll(*log, static_cast<std::uint64_t>(minute) * 60, 60, data);
    clock.Advance(std::chrono::minutes(1));
    if (auto swept = log->Sweep(); !swept) Die(swept.error().ToString());
  }
  return (metrics.written_bytes.Value() - written) / (metrics.put_bytes.Value() - put);
}

}  // namespace

int main(int argc, char** argv) {
  InitLogging(LogLevel::kWarning, LogFormat::kText);
  std::string json;
  std::string fill;  // fills a log of the first size here, and ends as a crash does
  std::string base = std::filesystem::temp_directory_path();
  std::vector<std::uint64_t> sizes = {1, 10, 50};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--json") {
      json = argv[i + 1];
    } else if (option == "--fill") {
      fill = argv[i + 1];
    } else if (option == "--dir") {
      base = argv[i + 1];
    } else if (option == "--gb") {
      sizes.clear();
      for (const char* at = argv[i + 1]; *at != 0; at += *at == ',') {
        std::uint64_t gb = 0;
        at = std::from_chars(at, at + std::string_view(at).size(), gb).ptr;
        if (gb == 0) Die("--gb takes sizes with commas between");
        sizes.push_back(gb);
      }
    } else {
      Die("unknown option " + option);
    }
  }
  if (!fill.empty()) Fill(fill, sizes.at(0));
  std::string pattern = base + "/millrace-recovery-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) Die("cannot make a directory in " + base);
  std::string text = "{\"recovery\":[";
  std::printf("%8s %10s %18s %18s\n", "size", "records", "after a clean stop", "after a crash");
  for (std::uint64_t gb : sizes) {
    const std::string path = pattern + "/" + std::to_string(gb);
    const Recovery recovery = MeasureRecovery(path, gb);
    std::printf("%5lu GB %10lu %16.3f s %16.3f s\n", static_cast<unsigned long>(recovery.gb),
                static_cast<unsigned long>(recovery.records), recovery.clean_s, recovery.crash_s);
    std::fflush(stdout);
    text += (text.back() == '[' ? "" : ",") + std::string("{\"gb\":") + std::to_string(gb) +
            ",\"records\":" + std::to_string(recovery.records) +
            ",\"clean_s\":" + std::to_string(recovery.clean_s) +
            ",\"crash_s\":" + std::to_string(recovery.crash_s) + "}";
    std::filesystem::remove_all(path);
  }
  const double retention = MeasureRewriting(pattern + "/retention", false);
  const double budget = MeasureRewriting(pattern + "/budget", true);
  std::printf("written for each byte put, at steady state: retention %.4f, budget %.4f (floor 1)\n",
              retention, budget);
  text += "],\"written_per_put\":{\"retention\":" + std::to_string(retention) +
          ",\"budget\":" + std::to_string(budget) + "}}\n";
  std::filesystem::remove_all(pattern);
  if (!json.empty()) std::ofstream(json) << text;
  return 0;
}
