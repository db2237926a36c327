/** For each of our templates: what a person would write of a recording, and what is left when nothing of it was said. */
import type { Json } from '../../src/jobs/task.ts';

interface Example {
  readonly good: { readonly [key: string]: Json };
  readonly bare: { readonly [key: string]: Json };
}

export const EXAMPLES: Readonly<Record<string, Example>> = {
  meeting_notes_v1: {
    good: {
      title: 'Bridge over the river',
      summary: 'The committee talked about the bridge. It will be built next year.',
      participants: ['Anna', 'Minh'],
      topics: ['Costs', 'Time'],
      decisions: ['The bridge is built of wood.'],
      action_items: [
        { task: 'Ask three builders for a price', owner: 'Minh', due: 'by Thursday' },
        { task: 'Write to the neighbours', owner: null, due: null },
      ],
      open_questions: ['Who pays for the lamps?'],
    },
    bare: {
      title: '',
      summary: '',
      participants: [],
      topics: [],
      decisions: [],
      action_items: [],
      open_questions: [],
    },
  },
  interview_v1: {
    good: {
      title: 'A baker on bread',
      summary: 'A baker tells how she bakes.',
      interviewer: null,
      interviewee: 'Mrs. Lan',
      questions: [
        { question: 'When do you get up?', answer: 'At two in the morning.' },
        { question: 'Is it worth it?', answer: null },
      ],
      key_points: ['Dough needs time.'],
      quotes: ['Bread is patience.'],
    },
    bare: {
      title: '',
      summary: '',
      interviewer: null,
      interviewee: null,
      questions: [],
      key_points: [],
      quotes: [],
    },
  },
  lecture_v1: {
    good: {
      title: 'Why the sky is blue',
      speaker: null,
      summary: 'Light is scattered by air.',
      sections: [{ heading: 'Scattering', points: ['Short waves are scattered more.'] }],
      terms: [{ term: 'wavelength', meaning: 'the distance between two crests' }],
      assignments: ['Read chapter three.'],
    },
    bare: { title: '', speaker: null, summary: '', sections: [], terms: [], assignments: [] },
  },
  sales_call_v1: {
    good: {
      customer: 'Hoa Sen Foods',
      summary: 'The customer looks for a cooler.',
      needs: ['A cooler for two tons'],
      objections: [{ objection: 'It is too loud.', answer: null }],
      budget: 'not more than ten thousand',
      timeline: null,
      competitors: [],
      agreements: ['A visit next week'],
      next_steps: [{ task: 'Send an offer', owner: 'Tom', due: 'tomorrow' }],
      outcome: 'follow_up',
    },
    bare: {
      customer: null,
      summary: '',
      needs: [],
      objections: [],
      budget: null,
      timeline: null,
      competitors: [],
      agreements: [],
      next_steps: [],
      outcome: 'undecided',
    },
  },
  medical_dictation_v1: {
    good: {
      patient: null,
      reason: 'cough for two weeks',
      history: 'No fever. Smokes ten cigarettes a day.',
      findings: ['Blood pressure 130 over 85', 'Lungs clear'],
      diagnoses: ['suspected bronchitis'],
      medications: [{ name: 'ibuprofen', dose: '400 mg', instructions: null }],
      allergies: [],
      plan: ['X-ray of the chest'],
      follow_up: 'in one week',
    },
    bare: {
      patient: null,
      reason: null,
      history: null,
      findings: [],
      diagnoses: [],
      medications: [],
      allergies: [],
      plan: [],
      follow_up: null,
    },
  },
  podcast_v1: {
    good: {
      title: 'Sailing alone',
      description: 'A sailor tells of forty days at sea.',
      hosts: [],
      guests: ['Ida'],
      chapters: [{ heading: 'Leaving', summary: 'Why she left.' }],
      quotes: ['The sea does not care.'],
      mentions: ['Moby Dick'],
      keywords: ['sailing'],
    },
    bare: {
      title: '',
      description: '',
      hosts: [],
      guests: [],
      chapters: [],
      quotes: [],
      mentions: [],
      keywords: [],
    },
  },
};
