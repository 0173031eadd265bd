import DMAReplay
import DMATrace

/// Moments.
extension Monitor {
  mutating func travel(_ action: MonitorAction) {
    let old = state.timeline.event
    switch action {
    case .pause: return state.togglePause()
    case .slower: return state.changeSpeed(by: 0.5)
    case .faster: return state.changeSpeed(by: 2)
    case .related: return goToRelated()
    case .difference: return state.compareMarks()
    case .repeatJump:
      guard !state.lastJump.isEmpty else {
        return state.say("no +time or -time to repeat yet", keeps: false)
      }
      return goTo(state.lastJump)
    case .markA:
      state.markA = state.now()
      return state.say("A is event \(old)", keeps: false)
    case .markB:
      state.markB = state.now()
      return state.say("B is event \(old)", keeps: false)
    default: break
    }
    state.isPlaying = false
    var isThere = true
    let marked = state.markedEvents
    let message = state.eventOfMessage(action)
    let (stripStart, stripSpan) = state.stripRange
    state.attempt { timeline throws(TraceError) in
      switch action {
      case .nextEvent: try timeline.step(1)
      case .previousEvent: try timeline.step(-1)
      case .nextChange: isThere = try timeline.stepToNextChange()
      case .previousChange: isThere = try timeline.stepToPreviousChange()
      case .nextError, .previousError, .nextMessage, .previousMessage:
        isThere = message != nil
        if let message { try timeline.seek(event: message) }
      case .start: try timeline.seek(event: 0)
      case .end: timeline.follow()
      case .stripStart: try timeline.seek(time: stripStart)
      case .stripEnd: try timeline.seek(time: stripStart + stripSpan)
      case .nextMarker, .previousMarker:
        let target =
          action == .nextMarker ? marked.first { $0 > old } : marked.last { $0 < old }
        isThere = target != nil
        if let target { try timeline.seek(event: target) }
      default: break
      }
    }
    if !isThere { state.say("there is none in this direction", keeps: false) }
    afterTravel()
  }

  mutating func afterTravel() {
    if state.view == .errors { state.selectErrorAtNow() }
    if state.view == .events { state.place.selection = .max / 2 }
  }

  mutating func goTo(_ text: String) {
    state.goTo(text)
    afterTravel()
  }

  /// Names this moment by a letter.
  mutating func setMark(_ text: String) {
    guard let letter = text.trimmingBlanks().first, text.trimmingBlanks().count == 1,
      letter.isLetter || letter.isNumber
    else {
      state.say("a mark is a letter or a digit", keeps: false)
      return
    }
    state.marks[letter] = state.now()
    state.say("mark \(letter) is event \(state.timeline.event)", keeps: false)
  }
}
