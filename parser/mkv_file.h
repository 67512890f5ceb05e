// A Matroska file whose any place can be read: its header at once, its frames in order, and from any time on.
//
//   MILLRACE_ASSIGN_OR_RETURN(auto source, FileSource::Open("door.mkv"));
//   MILLRACE_ASSIGN_OR_RETURN(auto file, MkvFile::Open(std::move(source)));
//   MILLRACE_RETURN_IF_ERROR(file->Seek(std::int64_t{90} * 1'000'000'000));
//   MILLRACE_ASSIGN_OR_RETURN(const std::optional<MediaFrame> frame, file->Next());     // a key frame, at or
//   before 1:30
//
// Seeking goes by the file's Cues where it has them (RFC 9559 section 5.1.5), found by its SeekHead or behind
// its Clusters; else by the Clusters, whose places are learnt once by passing from one header to the next.
//
// Only the first document of a file is read. Offsets in MediaFrame::fragment are not the file's.
//
// Memory:  the header up to limits.header_bytes_max, 16 bytes for each Cue or Cluster up to `kPlacesMax`, and
// one read. Errors:  as FrameReader's; kCorruption also for a file without Tracks. Cues that lead nowhere are
// not used. Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "parser/byte_source.h"
#include "parser/document.h"
#include "parser/frame_reader.h"

namespace millrace {

class MkvFile {
 public:
  static constexpr std::size_t kPlacesMax = 1'000'000;

  static Result<std::unique_ptr<MkvFile>> Open(std::unique_ptr<RandomAccess> source,
                                               const ParserLimits& limits = {});
  ~MkvFile();
  MkvFile(const MkvFile&) = delete;
  MkvFile& operator=(const MkvFile&) = delete;

  const MkvDocument& document() const { return document_; }

  // The next frame in the file's order; none: the end.
  Result<std::optional<MediaFrame>> Next();

  // Next goes on with the last key frame of the first video track that is shown at this time or before; the
  // file's first frame where there is none. A file without video: with the Cluster. May be called at any
  // time, after an error too.
  Result<void> Seek(std::int64_t timestamp_ns);

  bool has_cues() const { return has_cues_; }  // known after the first Seek

 private:
  // Where a Cluster stands, and the first time that may be in it.
  struct Place {
    std::int64_t timestamp_ns = 0;
    std::uint64_t offset = 0;
  };
  class ClusterSource;

  MkvFile(std::unique_ptr<RandomAccess> source, const ParserLimits& limits);

  Result<void> ReadHeader();
  Result<Bytes> ReadWhole(std::uint64_t offset, std::uint64_t size) const;
  // The first kElementHeaderBytesMax bytes there and some more; fewer at the end.
  Result<Bytes> Peek(std::uint64_t offset) const;
  Result<void> SeekByPlaces(std::int64_t timestamp_ns);
  Result<void> FindPlaces();
  Result<bool> ReadCues(std::uint64_t offset);
  Result<void> WalkClusters();
  Result<std::uint64_t> EndOfUnknown(std::uint64_t payload_offset) const;
  Result<std::optional<Place>> ClusterAt(std::uint64_t offset) const;
  void StartAt(std::uint64_t cluster_offset);
  Result<bool> SkipToKeyFrame(std::uint64_t cluster_offset, std::uint64_t end_offset,
                              std::int64_t timestamp_ns);
  std::uint32_t VideoTrack() const;

  const std::unique_ptr<RandomAccess> source_;
  const ParserLimits limits_;
  MkvDocument document_;
  Bytes header_;                       // what the parser is shown in front of the Clusters
  std::uint64_t segment_payload_ = 0;  // offsets of the file
  std::uint64_t segment_end_ = 0;
  std::uint64_t first_cluster_ = 0;
  std::optional<std::uint64_t> cues_offset_;  // as SeekHead has it
  std::optional<std::vector<Place>> places_;  // in the order of offsets; none: nobody has sought yet
  bool has_cues_ = false;

  std::unique_ptr<ClusterSource> clusters_;
  std::unique_ptr<FrameReader> reader_;
  std::optional<MediaFrame> first_;  // to be given next, ahead of reader_'s
};

}  // namespace millrace
