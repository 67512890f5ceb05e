// Fragments as players get them: G.711, which no player takes, is made AAC; everything else is as it is
// stored.
//
// A segment must not depend on which others were asked for, and segments one after the other must sound as
// one. So AAC packets lie on a grid of 1024 samples that counts from the run's start, and every eight of them
// are made by an encoder of their own, which is fed what came before them: each packet is a function of the
// recording alone, however it is cut.
//
// A packet's sound overlaps the one before it, and its coding looks ahead: it belongs to the fragment in
// which the last sample it depends on lies (kLagSamples after its first). A fragment's AAC therefore begins
// and ends that much before its G.711; its times are exact. docs/decisions/0015-g711-as-aac.md has the
// reasons.
//
// Threads: pure, but for ReadForPlayers, which waits for the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "fragments/fragment.h"
#include "fragments/fragment_store.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

// From a packet's first sample to where everything that it depends on is known.
inline constexpr std::uint64_t kLagSamples = 3 * 1024;

// What has to be known before a fragment's first sample.
inline constexpr std::uint64_t kLeadSamples = kLagSamples + 12 * 1024;

// The track as players get it: of G.711 an AAC-LC track of the same number, rate and channels. G.711 of a
// rate or channels that AAC-LC does not have is as it was.
TrackInfo PlayerTrack(const TrackInfo& stored);
// Whether any of the tracks is another for players.
bool NeedsPlayerAudio(const std::vector<TrackInfo>& tracks);

// A fragment's facts and all of its frames: of each track in decode order, tracks that were made anew last.
// tracks_id stays that of the stored tracks.
struct PlayerFragment {
  FragmentFacts facts;
  std::vector<Frame> frames;
};

// `before`: what was recorded before it in its run, oldest first, at least kLeadSamples of it if there is as
// much; of facts.run alone. Errors: kCorruption: facts and frames do not belong together; kInternal: no AAC
// encoder.
Result<PlayerFragment> MakePlayerFragment(PlayerFragment fragment, const std::vector<PlayerFragment>& before);

// A stored fragment, with what it needs of those before it: they are read only where there is G.711. Errors:
// as FragmentStore::Read, FramesOf and MakePlayerFragment.
Result<PlayerFragment> ReadForPlayers(FragmentStore& store, const std::string& stream,
                                      const FragmentNumber& number);

}  // namespace millrace
