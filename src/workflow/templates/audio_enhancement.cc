#include "workflow/templates/audio_enhancement.h"

namespace grym {

// The enhancement loop of the automated workflow plan, repaired: both generating steps publish `candidate`, so that
// each round judges the take that it made; after four judged rounds, above 0.8, or when a further take fails its gate,
// the best take so far is exported.
const char kAudioEnhancementTemplate[] = R"json({
  "id": "audio-enhancement",
  "name": "Audio Enhancement",
  "description": "Hear a recording, make an enhanced take from its patterns, judge it, improve it in a loop, export the best",
  "initialStep": "analyze-audio",
  "steps": {
    "analyze-audio": {
      "id": "analyze-audio",
      "type": "analysis",
      "operation": "patterns",
      "inputs": [{"source": "parameter", "key": "audioFile", "name": "audio"}],
      "parameters": {},
      "nextSteps": {"default": "extract-features"}
    },
    "extract-features": {
      "id": "extract-features",
      "type": "analysis",
      "operation": "features",
      "inputs": [{"source": "parameter", "key": "audioFile", "name": "audio"}],
      "parameters": {},
      "nextSteps": {"default": "generate-enhanced"}
    },
    "generate-enhanced": {
      "id": "generate-enhanced",
      "type": "generation",
      "operation": "generate",
      "as": "candidate",
      "inputs": [
        {"source": "previous_step", "key": "analyze-audio.result", "name": "patterns"},
        {"source": "previous_step", "key": "extract-features.result", "name": "features"}
      ],
      "parameters": {
        "enhancementLevel": "parameters.enhancementLevel",
        "preserveOriginalCharacteristics": "parameters.preserveOriginalCharacteristics",
        "targetLufs": "parameters.targetLufs",
        "model": "parameters.model",
        "prompt": "parameters.prompt",
        "allowUnsupported": "parameters.allowUnsupported",
        "wantStems": true
      },
      "nextSteps": {"default": "evaluate-result"}
    },
    "evaluate-result": {
      "id": "evaluate-result",
      "type": "analysis",
      "operation": "compare",
      "inputs": [
        {"source": "parameter", "key": "audioFile", "name": "original"},
        {"source": "previous_step", "key": "candidate.result", "name": "candidate"}
      ],
      "parameters": {},
      "condition": {"operator": "greater_than", "leftOperand": "result.qualityScore", "rightOperand": 0.8},
      "loop": {"maxVisits": 4, "onLimit": "finalize"},
      "nextSteps": {
        "conditional": [
          {"condition": "true", "stepId": "finalize"},
          {"condition": "false", "stepId": "regenerate"}
        ]
      }
    },
    "regenerate": {
      "id": "regenerate",
      "type": "generation",
      "operation": "generate",
      "as": "candidate",
      "inputs": [
        {"source": "previous_step", "key": "analyze-audio.result", "name": "patterns"},
        {"source": "previous_step", "key": "extract-features.result", "name": "features"},
        {"source": "previous_step", "key": "evaluate-result.result", "name": "feedback"}
      ],
      "parameters": {
        "enhancementLevel": "parameters.regenerationLevel",
        "preserveOriginalCharacteristics": "parameters.preserveOriginalCharacteristics",
        "targetLufs": "parameters.targetLufs",
        "model": "parameters.model",
        "prompt": "parameters.prompt",
        "allowUnsupported": "parameters.allowUnsupported",
        "focusAreas": "context.evaluate-result.result.improvementAreas",
        "wantStems": true
      },
      "onError": "finalize",
      "nextSteps": {"default": "evaluate-result"}
    },
    "finalize": {
      "id": "finalize",
      "type": "transformation",
      "operation": "export",
      "inputs": [{"source": "previous_step", "key": "best.result", "name": "take"}],
      "parameters": {"format": "wav", "sampleRate": 44100, "bitDepth": 16},
      "nextSteps": {}
    }
  },
  "parameters": {
    "audioFile": null,
    "enhancementLevel": 0.5,
    "regenerationLevel": 0.7,
    "preserveOriginalCharacteristics": true,
    "targetLufs": -14,
    "model": "",
    "prompt": "",
    "allowUnsupported": false
  },
  "parameterSchemas": {
    "audioFile": {"type": "string", "format": "file", "minLength": 1, "description": "The recording to enhance"},
    "enhancementLevel": {"type": "number", "minimum": 0, "maximum": 1, "description": "How much the first take adds"},
    "regenerationLevel": {"type": "number", "minimum": 0, "maximum": 1, "description": "How much each further take adds"},
    "preserveOriginalCharacteristics": {"type": "boolean", "description": "Keep tempo, key and spectral balance"},
    "targetLufs": {"type": "number", "minimum": -70, "maximum": 0, "description": "Integrated loudness of a take"},
    "model": {"type": "string", "description": "Id of the model that makes the takes; empty: the engine chooses"},
    "prompt": {"type": "string", "description": "What the takes should sound like"},
    "allowUnsupported": {"type": "boolean", "description": "Warn of what the model cannot honour in place of refusing"}
  },
  "metadata": {
    "createdAt": "2025-03-02T15:00:00.000Z",
    "updatedAt": "2025-03-02T15:00:00.000Z",
    "createdBy": "system",
    "version": "1.0.0",
    "template": true
  }
})json";

}  // namespace grym
