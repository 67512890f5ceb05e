// A Matroska file whose any place can be read: its header at once, its frames in order, and from any time on.
//
//   MILLRACE_ASSIGN_OR_RETURN(auto source, FileSource::Open("door.mkv"));
//   MILLRACE_ASSIGN_OR_RETURN(auto file, MkvFile::Open(std::move(source)));
//   MILLRACE_RETURN_IF_ERROR(file->Seek(std::int64_t{90} * 1'000'000'000));
//   MILLRACE_ASSIGN_OR_RETURN(const std::optional<MediaFrame> frame, file->Next());
//                                                                  // a key frame, at or before 1:30
//
// Seeking goes by the file's Cues where it has them (RFC 9559 section 5.1.5), found by its SeekHead or behind
// its Clusters; else by the Clusters, whose places are learnt once by passing from one header to the next.
//
// A file may be many documents, as saved bodies of GetMedia are: each Cluster is read with the header
// of its own. Where the first Segment says its size, nothing behind it is read; Cues are those of the
// first document. Offsets in MediaFrame::fragment are not the file's.
//
// Memory:  three headers up to limits.header_bytes_max, 32 bytes for each Cue or Cluster up to
//          `kPlacesMax`, and one read.
// Errors:  as FrameReader's; kCorruption also for a file without Tracks. Cues that lead nowhere are
//          not used. Seek: kResourceExhausted: no key frame stands in so many Clusters that looking
//          further would cost more than `kHeadersMax` headers of the largest size.
// Threads: one owner at a time.
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
  static constexpr std::uint64_t kHeadersMax = 32;  // times limits.header_bytes_max

  static Result<std::unique_ptr<MkvFile>> Open(std::unique_ptr<RandomAccess> source,
                                               const ParserLimits& limits = {});
  ~MkvFile();
  MkvFile(const MkvFile&) = delete;
  MkvFile& operator=(const MkvFile&) = delete;

  const MkvDocument& document() const { return head_->document; }  // the first

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
    std::uint64_t end = 0;       // up to which it is looked through
    std::uint64_t document = 0;  // where its document begins
  };
  // What stands in front of a document's Clusters.
  struct Header {
    std::uint64_t offset = 0;  // of the document; all are the file's
    std::uint64_t segment_payload = 0;
    std::uint64_t segment_end = 0;
    std::uint64_t first_cluster = 0;           // or where the next document begins
    std::optional<std::uint64_t> cues_offset;  // as SeekHead has it
    Bytes bytes;                               // what the parser is shown
    MkvDocument document;
  };
  using HeaderPtr = std::shared_ptr<const Header>;
  class ClusterSource;

  MkvFile(std::unique_ptr<RandomAccess> source, const ParserLimits& limits);

  Result<HeaderPtr> ReadHeader(std::uint64_t offset) const;
  // The same, once for the places of one document.
  Result<HeaderPtr> HeaderOf(std::uint64_t offset);
  Result<Bytes> ReadWhole(std::uint64_t offset, std::uint64_t size) const;
  // The first kElementHeaderBytesMax bytes there and some more; fewer at the end.
  Result<Bytes> Peek(std::uint64_t offset) const;
  Result<void> SeekByPlaces(std::int64_t timestamp_ns);
  Result<void> FindPlaces();
  Result<bool> ReadCues(std::uint64_t offset);
  Result<void> WalkClusters();
  Result<std::uint64_t> EndOfUnknown(std::uint64_t payload_offset) const;
  Result<std::optional<Place>> ClusterAt(const Header& header, std::uint64_t offset, ByteSpan start) const;
  void StartAt(HeaderPtr header, std::uint64_t cluster_offset);
  Result<bool> SkipToKeyFrame(const HeaderPtr& header, const Place& place, std::int64_t timestamp_ns);
  static std::uint32_t VideoTrack(const Header& header);

  const std::unique_ptr<RandomAccess> source_;
  const ParserLimits limits_;
  HeaderPtr head_;                            // of the first document; set by Open
  HeaderPtr other_;                           // of the document that was looked at last; or null
  std::optional<std::vector<Place>> places_;  // in the order of offsets; none: nobody has sought yet
  bool has_cues_ = false;

  std::unique_ptr<ClusterSource> clusters_;
  std::unique_ptr<FrameReader> reader_;
  std::optional<MediaFrame> first_;  // to be given next, ahead of reader_'s
};

}  // namespace millrace
