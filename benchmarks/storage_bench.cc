// How fast are durable appends, and how many bytes do they cost? Each case writes the same bytes in three
// ways in one run: our log; a bare file with one fdatasync for each append (1 thread) or for each group of
// what the threads offer; and plain RocksDB with the data as values and a synced write-ahead log.
//
//   storage_bench [--json FILE] [--dir DIR] [--mib N]     N: MiB written in each case (default 256), removed
//   afterwards
//   storage_bench --encryption yes [--json FILE] [--dir DIR] [--mib N]: the log alone, encrypted and not, in
//   turns; also reading it back. What encryption costs, in percent.
//
// "written" is what the process handed to the kernel for writing (wchar of /proc/self/io): it counts
// segments, the index's log, tables and compactions alike, and is not blurred by what the page cache merges.
#include <fcntl.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/embedded_log.h"

namespace {

using namespace millrace;
using namespace millrace::storage;

struct BenchCase {
  std::string name;
  std::size_t record_bytes;
  std::size_t batch;  // records of one append
  int threads;
};

struct Figures {
  double mib_per_s = 0;
  double written_per_byte = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "storage_bench: %s\n", what.c_str());
  std::exit(1);
}

std::uint64_t WrittenBytes() {
  std::ifstream io("/proc/self/io");
  std::string key;
  std::uint64_t value = 0;
  while (io >> key >> value) {
    if (key == "wchar:") return value;
  }
  return 0;
}

SharedBytes RandomBytes(std::size_t size) {
  Bytes bytes(size);
  std::uint64_t state = 88172645463325252u;
  for (std::uint8_t& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return SharedBytes(std::move(bytes));
}

// Runs `append(thread)` until all appends are done; each is one synchronous durable append.
Figures Measure(const BenchCase& bench, std::size_t appends, const std::function<void(int)>& append) {
  std::vector<std::vector<double>> times(static_cast<std::size_t>(bench.threads));
  std::atomic<std::size_t> left{appends};
  std::uint64_t written = WrittenBytes();
  auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int t = 0; t < bench.threads; ++t) {
    threads.emplace_back([&, t] {
      while (left.fetch_sub(1) - 1 < appends) {  // wraps below zero: done
        auto since = std::chrono::steady_clock::now();
        append(t);
        times[static_cast<std::size_t>(t)].push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since).count());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  double bytes = static_cast<double>(appends * bench.batch * bench.record_bytes);
  Figures figures;
  figures.mib_per_s = bytes / seconds / 1048576;
  figures.written_per_byte = static_cast<double>(WrittenBytes() - written) / bytes;
  figures.p50_ms = all[all.size() / 2];
  figures.p99_ms = all[all.size() * 99 / 100];
  return figures;
}

// CPU seconds of this process.
double CpuSeconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

struct LogFigures {
  Figures append;
  double append_cpu_s_per_gib = 0;
  double read_mib_per_s = 0;  // of what the page cache has
  double read_cpu_s_per_gib = 0;
};

LogFigures RunLog(const BenchCase& bench, std::size_t appends, const std::string& dir,
                  const SharedBytes& data, bool encrypted) {
  EmbeddedLogOptions options;
  options.path = dir + "/log";
  if (encrypted) {
    auto keys = MasterKeys::Parse("bench " + std::string(64, 'a'), "the benchmark");
    if (!keys) Die(keys.error().ToString());
    options.master_keys = std::make_shared<const MasterKeys>(std::move(*keys));
    options.encrypt_new_stream = [](const std::string&) { return true; };
  }
  auto log = EmbeddedLog::Open(options);
  if (!log) Die(log.error().ToString());
  if (auto made = (*log)->CreateStream("bench", 4, std::chrono::hours(168)); !made)
    Die(made.error().ToString());
  std::atomic<std::uint64_t> serial{0};
  auto append = [&](int thread) {
    std::vector<PutRecord> records(bench.batch);
    for (PutRecord& record : records) {
      record.partition_key = "camera-" + std::to_string(thread);
      record.data = data;
      if (bench.batch == 1) {  // as a fragment: three indexed numbers
        Bytes number;
        AppendBigEndian(number, serial++);
        record.attributes = {{1, number}, {2, number}, {3, number}};
      }
    }
    std::promise<void> done;
    (*log)->PutMany("bench", std::move(records), [&](std::vector<Result<PutReceipt>> results) {
      for (const auto& result : results) {
        if (!result) Die(result.error().ToString());
      }
      done.set_value();
    });
    done.get_future().wait();
  };
  LogFigures figures;
  const double cpu = CpuSeconds();
  figures.append = Measure(bench, appends, append);
  const double bytes = static_cast<double>(appends * bench.batch * bench.record_bytes);
  figures.append_cpu_s_per_gib = (CpuSeconds() - cpu) / bytes * 1073741824;
  const auto start = std::chrono::steady_clock::now();
  const double read_cpu = CpuSeconds();
  std::size_t records = 0;
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    auto position = (*log)->Seek("bench", ShardId{shard}, {});
    while (position) {
      auto batch = (*log)->Read("bench", *position, {});
      if (!batch) Die(batch.error().ToString());
      if (batch->records.empty() || !batch->next) break;
      records += batch->records.size();
      position = *batch->next;
    }
  }
  if (records != appends * bench.batch) Die("records are missing");
  figures.read_cpu_s_per_gib = (CpuSeconds() - read_cpu) / bytes * 1073741824;
  figures.read_mib_per_s =
      bytes / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 1048576;
  log->reset();
  std::filesystem::remove_all(options.path);
  return figures;
}

// One file, groups: each append waits until a sync has covered its bytes; whoever comes first syncs for all.
class RawFile {
 public:
  explicit RawFile(const std::string& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR, 0640);
    if (fd_ < 0) Die("cannot make " + path);
  }
  ~RawFile() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  void Append(ByteSpan bytes, std::size_t times) {
    std::unique_lock lock(mutex_);
    std::uint64_t mine = ++offered_;
    std::uint64_t offset = end_;
    end_ += bytes.size() * times;
    lock.unlock();
    for (std::size_t i = 0; i < times; ++i) {
      auto at = static_cast<off_t>(offset + i * bytes.size());
      if (::pwrite(fd_, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) Die("pwrite");
    }
    lock.lock();
    written_.push_back(mine);
    while (synced_ < mine) {
      if (syncing_) {
        changed_.wait(lock);
        continue;
      }
      syncing_ = true;
      std::uint64_t covers = Covered();
      lock.unlock();
      if (::fdatasync(fd_) != 0) Die("fdatasync");
      lock.lock();
      syncing_ = false;
      synced_ = std::max(synced_, covers);
      changed_.notify_all();
    }
  }

 private:
  // The newest append up to which all have been written.
  std::uint64_t Covered() {
    std::sort(written_.begin(), written_.end());
    std::size_t run = 0;
    while (run < written_.size() && written_[run] == covered_ + 1) {
      ++covered_;
      ++run;
    }
    written_.erase(written_.begin(), written_.begin() + static_cast<std::ptrdiff_t>(run));
    return covered_;
  }

  const std::string path_;
  int fd_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t end_ = 0, offered_ = 0, synced_ = 0, covered_ = 0;
  std::vector<std::uint64_t> written_;
  bool syncing_ = false;
};

Figures RunRaw(const BenchCase& bench, std::size_t appends, const std::string& dir, const SharedBytes& data) {
  RawFile file(dir + "/raw");
  return Measure(bench, appends, [&](int) { file.Append(data.span(), bench.batch); });
}

Figures RunFilePerThread(const BenchCase& bench, std::size_t appends, const std::string& dir,
                         const SharedBytes& data) {
  std::vector<std::unique_ptr<RawFile>> files;
  for (int t = 0; t < bench.threads; ++t)
    files.push_back(std::make_unique<RawFile>(dir + "/raw" + std::to_string(t)));
  return Measure(bench, appends, [&](int thread) {
    files[static_cast<std::size_t>(thread)]->Append(data.span(), bench.batch);
  });
}

Figures RunRocks(const BenchCase& bench, std::size_t appends, const std::string& dir,
                 const SharedBytes& data) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  std::string path = dir + "/rocks";
  if (!rocksdb::DB::Open(options, path, &opened).ok()) Die("rocksdb does not open");
  std::unique_ptr<rocksdb::DB> db(opened);
  std::atomic<std::uint64_t> serial{0};
  rocksdb::WriteOptions synced;
  synced.sync = true;
  Figures figures = Measure(bench, appends, [&](int) {
    rocksdb::WriteBatch batch;
    for (std::size_t i = 0; i < bench.batch; ++i) {
      Bytes key;
      AppendBigEndian(key, serial++);
      batch.Put(rocksdb::Slice(AsText(key).data(), key.size()),
                rocksdb::Slice(AsText(data.span()).data(), data.size()));
    }
    if (!db->Write(synced, &batch).ok()) Die("rocksdb does not write");
  });
  db.reset();
  std::filesystem::remove_all(path);
  return figures;
}

std::string Json(const Figures& f) {
  char text[200];
  std::snprintf(text, sizeof(text),
                R"({"mib_per_s":%.1f,"written_per_byte":%.3f,"p50_ms":%.3f,"p99_ms":%.3f})", f.mib_per_s,
                f.written_per_byte, f.p50_ms, f.p99_ms);
  return text;
}

// Three times in turns, and the best of each. CPU is what a busy machine blurs least.
void CompareEncryption(const std::vector<BenchCase>& cases, std::size_t mib, const std::string& dir,
                       std::string& json) {
  struct Column {
    const char* name;
    double (*of)(const LogFigures&);
    bool more_is_better;
  };
  const std::array<Column, 4> columns{{
      {"append_mib_per_s", [](const LogFigures& f) { return f.append.mib_per_s; }, true},
      {"append_cpu_s_per_gib", [](const LogFigures& f) { return f.append_cpu_s_per_gib; }, false},
      {"read_mib_per_s", [](const LogFigures& f) { return f.read_mib_per_s; }, true},
      {"read_cpu_s_per_gib", [](const LogFigures& f) { return f.read_cpu_s_per_gib; }, false},
  }};
  std::printf("%-24s %-22s %10s %10s %8s\n", "case", "figure", "plain", "encrypted", "%");
  for (const BenchCase& bench : cases) {
    const SharedBytes data = RandomBytes(bench.record_bytes);
    const std::size_t appends = std::max<std::size_t>((mib << 20) / (bench.record_bytes * bench.batch), 16);
    std::array<std::array<double, columns.size()>, 2> best{};
    for (int round = 0; round < 3; ++round) {
      for (std::size_t encrypted = 0; encrypted < 2; ++encrypted) {
        const LogFigures one = RunLog(bench, appends, dir, data, encrypted == 1);
        for (std::size_t i = 0; i < columns.size(); ++i) {
          double& of = best[encrypted][i];
          const double value = columns[i].of(one);
          of = round == 0 ? value : columns[i].more_is_better ? std::max(of, value) : std::min(of, value);
        }
      }
    }
    if (json.back() == '}') json += ",";
    json += "{\"name\":\"" + bench.name + "\"";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const double percent = (best[1][i] / best[0][i] - 1) * 100;
      std::printf("%-24s %-22s %10.2f %10.2f %+8.1f\n", bench.name.c_str(), columns[i].name, best[0][i],
                  best[1][i], percent);
      char text[120];
      std::snprintf(text, sizeof(text), R"(,"%s":[%.2f,%.2f])", columns[i].name, best[0][i], best[1][i]);
      json += text;
    }
    json += "}";
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string json_path;
  std::string parent = std::filesystem::current_path().string();
  std::string only;
  bool encryption = false;
  std::size_t mib = 256;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string option = argv[i];
    if (option == "--json") json_path = argv[i + 1];
    if (option == "--dir") parent = argv[i + 1];
    if (option == "--only") only = argv[i + 1];
    if (option == "--encryption") encryption = std::string_view(argv[i + 1]) == "yes";
    if (option == "--mib") mib = static_cast<std::size_t>(std::max(1, std::atoi(argv[i + 1])));
  }
  std::string dir = parent + "/storage_bench.XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) Die("cannot make a directory in " + parent);

  const std::vector<BenchCase> cases = {
      {"1 MiB, 1 thread", 1 << 20, 1, 1},         {"1 MiB, 8 threads", 1 << 20, 1, 8},
      {"100 KiB, 1 thread", 100 << 10, 1, 1},     {"100 KiB, 8 threads", 100 << 10, 1, 8},
      {"100 x 1 KiB, 1 thread", 1 << 10, 100, 1}, {"100 x 1 KiB, 8 threads", 1 << 10, 100, 8}};
  std::printf("durable appends, %zu MiB a case in %s\n", mib, parent.c_str());
  if (encryption) {
    std::string json = "{\"benchmark\":\"encryption\",\"mib\":" + std::to_string(mib) + ",\"cases\":[";
    CompareEncryption(cases, mib, dir, json);
    std::filesystem::remove_all(dir);
    if (!json_path.empty()) std::ofstream(json_path) << json << "]}\n";
    return 0;
  }
  std::printf("%-24s %10s %10s %10s %10s %8s %8s %9s %9s %9s\n", "case", "log MiB/s", "raw MiB/s", "8 files",
              "rocksdb", "log/raw", "log/rdb", "written", "p50 ms", "p99 ms");
  std::string json = "{\"benchmark\":\"storage\",\"mib\":" + std::to_string(mib) + ",\"cases\":[";
  for (const BenchCase& bench : cases) {
    if (bench.name.find(only) == std::string::npos) continue;
    SharedBytes data = RandomBytes(bench.record_bytes);
    std::size_t appends = std::max<std::size_t>((mib << 20) / (bench.record_bytes * bench.batch), 16);
    // Three times in turns, and the best of each: the disk is shared.
    Figures log, raw, files, rocks;
    auto better = [](Figures& best, Figures one) {
      if (one.mib_per_s > best.mib_per_s) best = one;
    };
    for (int round = 0; round < 3; ++round) {
      better(raw, RunRaw(bench, appends, dir, data));
      better(log, RunLog(bench, appends, dir, data, false).append);
      if (bench.threads > 1) better(files, RunFilePerThread(bench, appends, dir, data));
      if (round == 0) better(rocks, RunRocks(bench, appends, dir, data));
    }
    std::printf("%-24s %10.1f %10.1f %10.1f %10.1f %8.2f %8.2f %9.3f %9.3f %9.3f\n", bench.name.c_str(),
                log.mib_per_s, raw.mib_per_s, files.mib_per_s, rocks.mib_per_s, log.mib_per_s / raw.mib_per_s,
                log.mib_per_s / rocks.mib_per_s, log.written_per_byte, log.p50_ms, log.p99_ms);
    std::fflush(stdout);
    if (json.back() == '}') json += ",";
    json += "{\"name\":\"" + bench.name + "\",\"log\":" + Json(log) + ",\"raw\":" + Json(raw) +
            ",\"raw_file_per_thread\":" + Json(files) + ",\"rocksdb\":" + Json(rocks) + "}";
  }
  json += "]}\n";
  std::filesystem::remove_all(dir);
  if (!json_path.empty()) std::ofstream(json_path) << json;
  return 0;
}
