// SPDX-License-Identifier: Apache-2.0
// Defects that can be compiled into the core, to show that the invariants see them.
//
// A mutation is a template argument of step(): the shipped core is instantiated with None, and
// holds no trace of the others. tests/model finds the shortest way into each and names the
// invariants that it breaks.
#pragma once

#include <cstdint>

namespace cede::broker {

enum class Mutation : std::uint8_t {
  None,
  DeathLosesAccount,      // what a dead domain had not spent goes to nobody
  EscrowStaysOnConnect,   // a connected session's pages stay booked as escrow
  ClientReleaseSuffices,  // the client's word ends a session that the driver still uses
  DestructionRevokes,     // destroying the client takes the pages out of the driver's hands
  DeadlineWithoutKill,    // a driver that overruns its deadline is asked once more, for ever
  DriverBelievedForEver,  // a driver that said Release is never suspected of lying
  DriverBlamedFirst,      // overdue pages of a dead client cost an innocent driver its life
  RefusalLeavesEscrow,    // a refused session waits for nothing, its pages in escrow
  FailedSealConnects,     // whether the seals hold is not looked at
  PaidAtLetGo,            // pages return when the broker lets go, before the kernel's proof
  OldGenerationsWork,     // a handle's generation is not compared
  RowsKeepGeneration,     // a row's new life has the name of its last
  DriverPays,             // a session's pages are taken from the driver's account
  AnyoneMayClose,         // Close asks for no relation to the session
  DeadMayAct,             // messages of the dead are still obeyed
  SealForgetsConnect,     // a sealed system still connects
  SealLetsFinish,         // what was under way when the system was sealed still connects
  DeviceShared,           // a device is connected while its last session is not yet Closed
  AnyoneMayRevoke,        // RevokeGrant asks for no relation to the grant
  RevocationSeizes,       // a grant's end takes the pages out of the driver's hands
  RevocationSpares,       // a grant's end leaves its session as it is
};

}  // namespace cede::broker
